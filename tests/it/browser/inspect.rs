//! Accessibility of a page in light and dark, wide and narrow, and its pictures.
//!
//! `PADDOCK_SCREENSHOTS=<folder>` saves a picture of every state.

use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use serde_json::{Value, json};

use super::browser::Browser;

const WIDE: (u32, u32) = (1440, 900);
const PHONE: (u32, u32) = (390, 844);

static AXE: LazyLock<String> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{} (run scripts/setup): {error}", file.display()))
});

const RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'],
        resultTypes: ['violations'],
    }).then(
        (found) => done(found.violations.map((one) => ({
            rule: one.id, help: one.help,
            where: one.nodes.map((node) => node.target.join(' ') + ': ' + node.failureSummary),
        }))),
        (error) => done([{ rule: 'axe', help: String(error), where: [] }]),
    );";

impl Browser {
    /// The page as it is now has no violation, in every theme and width; nothing is cut off at the
    /// width of a phone, and the browser complains of nothing; else the test fails at its end.
    pub async fn inspect(&self, name: &str) {
        self.driver.execute(AXE.as_str(), Vec::new()).await.unwrap();
        for (scheme, size, state) in
            [("light", WIDE, "light"), ("dark", WIDE, "dark"), ("light", PHONE, "phone"), ("dark", PHONE, "phone-dark")]
        {
            self.look_like(scheme, size).await;
            // Dark at a phone's width differs from what was looked at only as a picture.
            if state != "phone-dark" {
                let violations = self.driver.execute_async(RUN, Vec::new()).await.unwrap().json().clone();
                if violations != json!([]) {
                    self.complain(format!("{name}, {state}: {violations:#}"));
                }
            }
            if size == PHONE {
                let over = self.eval("return document.documentElement.scrollWidth - 390").await;
                if over.as_i64() > Some(0) {
                    self.complain(format!("{name}, {state}: the page is {over} px wider than a phone"));
                }
            }
            self.picture(&format!("{name}-{state}"), size).await;
        }
        self.command("Emulation.setScrollbarsHidden", json!({"hidden": false})).await;
        self.command("Emulation.clearDeviceMetricsOverride", json!({})).await;
        self.command("Emulation.setEmulatedMedia", json!({"features": []})).await;
        self.listen(&[]).await;
    }

    async fn look_like(&self, scheme: &str, (width, height): (u32, u32)) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.command("Emulation.setEmulatedMedia", json!({"features": features})).await;
        let screen =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": (width, height) == PHONE});
        self.command("Emulation.setDeviceMetricsOverride", screen).await;
        self.command("Emulation.setScrollbarsHidden", json!({"hidden": true})).await;
        self.eval("scrollTo(0, 0)").await;
        // All are in effect with the next frame but one.
        let frame = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()));";
        self.driver.execute_async(frame, Vec::new()).await.unwrap();
    }

    /// A picture of the page as it is, which may be another product's.
    pub async fn save(&self, name: &str) {
        self.picture(name, WIDE).await;
    }

    async fn picture(&self, name: &str, size: (u32, u32)) {
        let Some(folder) = std::env::var_os("PADDOCK_SCREENSHOTS") else { return };
        let folder = Path::new(&folder);
        std::fs::create_dir_all(folder).unwrap();
        // A phone's page is long: all of it.
        let shot = self.command("Page.captureScreenshot", json!({"captureBeyondViewport": size == PHONE})).await;
        let Value::String(data) = &shot["data"] else { panic!("no picture: {shot}") };
        let png = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }
}

//! Folders that are wrong, hostile or just odd: each has a clear error, and the good template
//! beside them is never lost.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use paddock::catalog::loader::{self, MAX_FILES};
use paddock::catalog::source::FolderTree;

use super::fixture::Folder;

/// Problems of a folder that also holds a good template, which must be loaded.
fn lint_beside_a_good_one(folder: &Folder) -> String {
    folder.template("good", "Good");
    let tree = FolderTree::open(folder.path()).unwrap();
    let content = loader::load(&tree).unwrap();
    assert!(content.templates.iter().any(|loaded| loaded.slug == "good"), "the good template is hidden");
    folder.lint()
}

#[test]
fn links_are_never_followed() {
    let folder = Folder::new();
    let outside = Folder::new();
    outside.write("secret", "s").template("stolen", "Stolen");
    folder.template("file-link", "A").template("folder-link", "B").template("chain", "C").template("dangling", "D");
    symlink(outside.at("secret"), folder.at("file-link/secret")).unwrap();
    symlink(outside.path(), folder.at("folder-link/inner")).unwrap();
    symlink("two", folder.at("chain/one")).unwrap();
    symlink("/etc/passwd", folder.at("chain/two")).unwrap();
    symlink("/nonexistent", folder.at("dangling/x")).unwrap();
    symlink(outside.at("stolen"), folder.at("template-link")).unwrap();
    std::fs::create_dir(folder.at("manifest-link")).unwrap();
    symlink(outside.at("stolen/paddock.yaml"), folder.at("manifest-link/paddock.yaml")).unwrap();
    insta::assert_snapshot!(lint_beside_a_good_one(&folder), @r#"
    chain/one: error: This is a symbolic link. Links are never followed: put the file itself here.
    chain/two: error: This is a symbolic link. Links are never followed: put the file itself here.
    dangling/x: error: This is a symbolic link. Links are never followed: put the file itself here.
    file-link/secret: error: This is a symbolic link. Links are never followed: put the file itself here.
    folder-link/inner: error: This is a symbolic link. Links are never followed: put the file itself here.
    manifest-link/paddock.yaml: error: This is a symbolic link. Links are never followed: put the file itself here.
    template-link: warning: This is a symbolic link. Links are never followed, so nothing behind it is read.
    "#);
}

#[test]
fn sizes_are_known_before_anything_is_read() {
    let folder = Folder::new();
    folder.template("huge-file", "A").template("huge-manifest", "B").template("many", "C").template("heavy", "D");
    // Sparse files: 100 MB and 10 GB without the disk.
    std::fs::File::create(folder.at("huge-file/disk.img")).unwrap().set_len(100 * 1024 * 1024).unwrap();
    std::fs::File::create(folder.at("huge-manifest/paddock.yaml")).unwrap().set_len(10 << 30).unwrap();
    for index in 0..=MAX_FILES {
        folder.write(&format!("many/f{index}"), "");
    }
    for index in 0..9 {
        std::fs::File::create(folder.at(&format!("heavy/f{index}"))).unwrap().set_len(1024 * 1024).unwrap();
    }
    insta::assert_snapshot!(lint_beside_a_good_one(&folder), @r#"
    heavy: error: The template's files have 10 MiB together; at most 8 MiB fit.
    huge-file: error: The template's files have 101 MiB together; at most 8 MiB fit.
    huge-file/disk.img: error: The file has 100 MiB; at most 1 MiB fit. Keep large files elsewhere and name them in the template.
    huge-manifest: error: The template's files have 10241 MiB together; at most 8 MiB fit.
    huge-manifest/paddock.yaml: error: The file has 10240 MiB; at most 256 KiB fit. Keep large files elsewhere and name them in the template.
    many: error: The template has 503 files; at most 500 fit. Leave out what is generated or downloaded.
    "#);
}

#[test]
fn odd_names_and_things_are_named() {
    let folder = Folder::new();
    folder.template("latin", "A").template("control", "B").template("pipe", "C").template("yml", "D");
    folder
        .write("yml/paddock.yml", "")
        .write("yml/environment.yaml", "name: x\n")
        .write("yml/inner/paddock.yaml", "name: x\n");
    std::fs::write(folder.at("latin").join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    std::fs::write(folder.at("control/a\nb"), "").unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.at("pipe/p"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    folder.template(&["deep"; 20].join("/"), "Deep");
    folder.write("k8s/manifest.yaml", "apiVersion: v1\nkind: Pod\n---\napiVersion: v1\n");
    folder.write(".git/paddock.yaml", "name: [").write("tf/.terraform/x/paddock.yaml", "name: [");
    insta::assert_snapshot!(lint_beside_a_good_one(&folder), @r#"
    control/ab: error: Its name has characters that no template file may have. Rename it.
    deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep: warning: Folders are read 16 deep; this one lies deeper. Move it up.
    latin/caf�: error: Its name has characters that no template file may have. Rename it.
    pipe/p: error: It is neither a file nor a folder. Remove it.
    yml/environment.yaml: warning: “paddock.yaml” beside it is used; this manifest is not read.
    yml/inner/paddock.yaml: warning: This folder belongs to the template in “yml” and is not a template of its own. Move it beside that one if it should be.
    yml/paddock.yml: warning: The manifest's name is “paddock.yaml”; this file is not read. Rename it.
    "#);
}

#[test]
fn two_templates_with_one_slug_and_files_that_are_missing() {
    let folder = Folder::new();
    folder.template("a/db", "A").template("b/db", "B");
    folder.write("missing/environment.yaml", "name: Missing\nrunner: Bicep\ntemplatePath: infra/Main.bicep\n");
    folder.write("missing/main.bicep", "");
    folder.write("latin1/paddock.yaml", b"name: A\nsummary: caf\xe9\nprovider: command\n");
    folder.template("readme", "R").write("readme/README.md", b"\xff\xfe");
    insta::assert_snapshot!(lint_beside_a_good_one(&folder), @r#"
    b/db/paddock.yaml: error: slug: The slug “db” is taken by the template in “a/db”. Set another “slug”, or rename the folder.
    latin1/paddock.yaml:2:1: error: The file is not UTF-8: byte 21 does not fit. Save it as UTF-8.
    missing/environment.yaml:3:15: error: templatePath: There is no file “infra/Main.bicep” in this folder. Did you mean “main.bicep”?
    readme/README.md: warning: The file is not UTF-8, so the template has no description. Save it as UTF-8.
    "#);
}

#[test]
fn the_digest_follows_the_content_and_nothing_else() {
    let digest = |folder: &Folder| {
        let content = loader::load(&FolderTree::open(folder.path()).unwrap()).unwrap();
        content.templates[0].digest
    };
    let (one, two) = (Folder::new(), Folder::new());
    one.template("db", "Database");
    two.template("db", "Database");
    assert_eq!(digest(&one), digest(&two), "time and place do not matter");
    let before = digest(&one);
    let mut permissions = std::fs::metadata(one.at("db/main.tf")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(one.at("db/main.tf"), permissions).unwrap();
    assert_ne!(digest(&one), before, "the executable bit does");
    two.write("db/more.tf", "");
    assert_ne!(digest(&two), before);
}

#[test]
fn a_folder_without_templates_says_so() {
    let folder = Folder::new();
    folder.write("README.md", "x");
    assert_eq!(
        folder.lint(),
        ".: warning: There is no template here: no folder has a paddock.yaml or an environment.yaml."
    );
    assert!(paddock::catalog::lint(&folder.at("nowhere")).unwrap_err().to_string().contains("cannot be opened"));
}

#[test]
fn variables_of_a_module_are_the_inputs_that_its_manifest_leaves_out() {
    let folder = Folder::new();
    folder.template("stack", "Stack").template("declared", "Declared").template("wrong", "Wrong");
    let variables = "variable \"size\" {\n  type = number\n}\nvariable \"key\" {\n  sensitive = true\n}\n";
    folder.write("stack/variables.tf", variables).write("stack/modules/x/variables.tf", "variable \"inner\" {}");
    folder.write("declared/variables.tf", variables);
    folder.write("declared/paddock.yaml", "name: Declared\nprovider: terraform\ninputs: {properties: {size: {}}}\n");
    folder.write("wrong/variables.tf", "variable \"size\" {\n  type = nmber\n}\n");
    let content = loader::load(&FolderTree::open(folder.path()).unwrap()).unwrap();
    let inputs = |slug: &str| &content.templates.iter().find(|loaded| loaded.slug == slug).unwrap().manifest.inputs;
    let names = |slug: &str| inputs(slug)["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names("stack"), ["size", "key"]);
    assert_eq!(inputs("stack")["required"], serde_json::json!(["size", "key"]));
    assert_eq!(inputs("stack")["properties"]["key"]["writeOnly"], true);
    assert_eq!(names("declared"), ["size"], "what the manifest says is the form");
    insta::assert_snapshot!(folder.lint(), @"wrong/variables.tf:2:10: error: variable.size: “nmber” is not a type. Did you mean “number”?");
}

#[test]
fn what_a_receiver_of_webhooks_is_told_is_checked() {
    let folder = Folder::new();
    folder.write(
        "good/paddock.yaml",
        "name: Good\nprovider: webhook\nconfig: {timeout: 30m, status: /status?a=b, repeat: once, parameters: {a: [1]}}\n",
    );
    folder.write(
        "bad/paddock.yaml",
        "name: Bad\nprovider: webhook\nconfig:\n  timeout: 8d\n  status: //elsewhere/status\n  repeat: probe\n  \
         parameters: x\n  url: https://x\n",
    );
    insta::assert_snapshot!(folder.lint(), @r"
    bad/paddock.yaml:4:3: error: config.timeout: “timeout” is from one second to seven days.
    bad/paddock.yaml:5:3: error: config.status: “status” is a path on the receiver's server, such as “/status”, not “//elsewhere/status”.
    bad/paddock.yaml:6:3: error: config.repeat: “repeat” is “idempotent” or “once”, not “probe”.
    bad/paddock.yaml:7:15: error: config.parameters: “parameters” is a mapping of keys and values, not text.
    bad/paddock.yaml:8:3: error: config.url: There is no key “url” here. The address of the receiver is part of the target, not of the template.
    ");
}

#[test]
fn prices_are_checked_with_line_and_column() {
    let folder = Folder::new();
    let head = "name: A\nprovider: simulated\n\
                inputs: {type: object, properties: {size: {enum: [small], default: small}, n: {type: integer}}}\n";
    folder.write(
        "wrong/paddock.yaml",
        format!(
            "{head}prices:\n{}",
            concat!(
                "  - {item: VM, quantity: 1}\n",
                "  - {quantity: 1}\n",
                "  - {item: vm.small, quantity: inputs.n + 1}\n",
                "  - {item: vm.small, quantity: inputs.sise, while: running}\n",
                "  - {item: vm.small, quantity: 1.5}\n",
                "  - {item: vm.small, while: stopped}\n",
                "  - {item: vm.small, price: 3}\n",
                "  - vm.small\n",
                "  - {item: vm.small, quantity: [1]}\n",
            )
        ),
    );
    folder.write("none/paddock.yaml", format!("{head}prices: vm.small\n"));
    folder.write("many/paddock.yaml", format!("{head}prices:\n{}", "  - {item: vm.small}\n".repeat(41)));
    folder.write(
        "ade/environment.yaml",
        concat!(
            "name: Ade\nversion: 1.0.0\nrunner: Terraform\ntemplatePath: main.tf\n",
            "x-paddock:\n  prices:\n    - {item: vm.small, quantity: inputs.cpus}\n",
        ),
    );
    folder.write("ade/main.tf", "");
    let found = lint_beside_a_good_one(&folder);
    for (place, words) in [
        ("wrong/paddock.yaml:5:6: error: prices.0.item: ", "cannot name an item"),
        ("wrong/paddock.yaml:6:5: error: prices.1.item: ", "“item” is missing. Name an item of the price book"),
        ("wrong/paddock.yaml:7:38: error: prices.2.quantity: ", "“n” may be left out"),
        ("wrong/paddock.yaml:8:38: error: prices.3.quantity: ", "Did you mean “size”?"),
        ("wrong/paddock.yaml:9:32: error: prices.4.quantity: ", "write int(…)"),
        ("wrong/paddock.yaml:10:29: error: prices.5.while: ", "is “running” (not while it is stopped) or “exists”"),
        ("wrong/paddock.yaml:11:22: error: prices.6.price: ", "There is no key “price” here"),
        ("wrong/paddock.yaml:12:5: error: prices.7: ", "a mapping with “item”, not text"),
        ("wrong/paddock.yaml:13:32: error: prices.8.quantity: ", "not a list"),
        ("none/paddock.yaml:4:", "“prices” is a list"),
        ("many/paddock.yaml:4:", "At most 40 items fit"),
        ("ade/environment.yaml:7:40: error: x-paddock.prices.0.quantity: ", "There is no input “cpus”"),
    ] {
        let told = found.lines().any(|line| line.starts_with(place) && line.contains(words));
        assert!(told, "{place} {words} in:\n{found}");
    }
    assert_eq!(found.lines().count(), 12, "{found}");
}

#[test]
fn amounts_are_checked_with_line_and_column() {
    let folder = Folder::new();
    let inputs =
        "inputs: {type: object, properties: {size: {enum: [small, large], default: small}, n: {type: integer}}}\n";
    let manifest = |quotas: &str| format!("name: A\nprovider: simulated\n{inputs}quotas:\n{quotas}");
    folder.write(
        "wrong/paddock.yaml",
        manifest(concat!(
            "  vcpu: \"inputs.sise == 'large' ? 8 : 2\"\n",
            "  memory_gib: inputs.n + 1\n",
            "  gpu: 'inputs.size == 3 ? 1 : 0'\n",
            "  share: \"inputs.size == 'large' ? 1.5 : 1.0\"\n",
            "  Storage: 1\n",
            "  environments: 2\n",
            "  disks: [1]\n",
            "  cut: '1 +'\n",
        )),
    );
    folder.write(
        "tf/paddock.yaml",
        "name: T\nprovider: terraform\nquotas: {vcpu: int(inputs.cpus), cores: inputs.cpus, disk: inputs.gone}\n",
    );
    folder.write("tf/main.tf", "variable \"cpus\" {\n  type = number\n  default = 2\n}\n");
    folder.write(
        "ade/environment.yaml",
        concat!(
            "name: Ade\nversion: 1.0.0\nrunner: Terraform\ntemplatePath: main.tf\n",
            "x-paddock:\n  quotas:\n    vcpu: inputs.cpus\n",
        ),
    );
    folder.write("ade/main.tf", "");
    let found = lint_beside_a_good_one(&folder);
    for (place, words) in [
        ("wrong/paddock.yaml:5:16: error: quotas.vcpu: ", "There is no input “sise”. Did you mean “size”?"),
        ("wrong/paddock.yaml:6:21: error: quotas.memory_gib: ", "“n” may be left out: give it a default"),
        ("wrong/paddock.yaml:7:21: error: quotas.gpu: ", "“==” does not go with text and a whole number"),
        ("wrong/paddock.yaml:8:", "write int(…)"),
        ("wrong/paddock.yaml:9:3: error: quotas.Storage: ", "cannot name a dimension"),
        ("wrong/paddock.yaml:10:3: error: quotas.environments: ", "is counted by itself"),
        ("wrong/paddock.yaml:11:", "a whole number or an expression, not a list"),
        ("wrong/paddock.yaml:12:", "This is no expression"),
        ("tf/paddock.yaml:3:", "write int(…)"),
        ("tf/paddock.yaml:3:", "There is no input “gone”. There are “cpus”."),
        ("ade/environment.yaml:7:17: error: x-paddock.quotas.vcpu: ", "There is no input “cpus”. There are none."),
    ] {
        let told = found.lines().any(|line| line.starts_with(place) && line.contains(words));
        assert!(told, "{place} {words} in:\n{found}");
    }
    assert_eq!(found.lines().count(), 11, "{found}");
}

//! A program that does its work and then does not come to an end in its time. Nobody knows how far it
//! came: the next attempt looks, finds it done, and does nothing a second time.

use serde_json::json;

use crate::matrix::oracle::{assert_none, complaints};
use crate::matrix::subject::{COMMAND, Environments, Subject};
use crate::matrix::world::World;
use crate::support::wait::lines;

/// Each of its scripts has its effect first, then never ends.
static LATE: Subject = Subject {
    name: "command",
    template: "lab-late",
    files: &[
        (
            "paddock.yaml",
            "name: Late\nprovider: command\nconfig: {deploy: up.sh, delete: down.sh, probe: look.sh, repeat: probe}\n",
        ),
        (
            "up.sh",
            "#!/bin/sh\necho '{\"outputs\": {\"place\": {\"type\": \"string\", \"value\": \"lab\"}}}' > \"$PADDOCK_OUTPUTS\"\n\
             echo up >> \"$MADE/$PADDOCK_ENVIRONMENT_ID\"\nsleep 1000\n",
        ),
        ("down.sh", "#!/bin/sh\necho down >> \"$MADE/$PADDOCK_ENVIRONMENT_ID\"\nsleep 1000\n"),
        ("look.sh", "#!/bin/sh\ntest \"$(tail -n 1 \"$MADE/$PADDOCK_ENVIRONMENT_ID\" 2>/dev/null)\" = up\n"),
    ],
    create: |_| json!({}),
    update: || json!({}),
    target: None,
    twice: true,
    is_like: None,
    actions: &[],
    without: &[],
    audit: |world, environments| (COMMAND.audit)(world, environments),
};

#[tokio::test]
async fn what_was_done_before_time_was_up_is_not_done_again() {
    let world = World::new(&LATE).await;
    let _worker = world.worker_set(&["--lease", "2s", "--program-time", "3s"]);
    let environment = world.create("lab-late").await;
    let mut environments = Environments::from([(environment, ("lab-late".to_owned(), vec!["create"]))]);
    world.rest().await;
    assert_none(&complaints(&world, &environments).await, &world);
    world.delete(environment).await;
    environments.get_mut(&environment).unwrap().1.push("delete");
    world.rest().await;
    assert_none(&complaints(&world, &environments).await, &world);
    assert_eq!(lines(&world.made.join(environment.to_string())), ["up", "down"]);

    let attempts = world.rows("SELECT label, attempt::text FROM run ORDER BY created_at").await;
    let twice = |label: &str| (label.to_owned(), "2".to_owned());
    assert_eq!(attempts, [twice("Create lab-late"), twice("Delete lab-late")]);
    // The person reads why there were two, also when it went well in the end.
    let log = world.test.log(environment).await;
    for (words, count) in [
        ("the program did not end within 3 seconds and was stopped", 2),
        ("Whether it had an effect is not known", 2),
        ("Looked first, because an earlier attempt began this: there is command", 1),
        ("Looked first, because an earlier attempt began this: nothing is there", 1),
        ("An earlier attempt got it done before it was cut off", 2),
    ] {
        assert_eq!(log.matches(words).count(), count, "{words}\n{log}");
    }
    let told = "SELECT count(*) FROM audit_record WHERE action = 'run.requeued'
                AND detail ->> 'error' LIKE 'the program did not end within 3 seconds%the next attempt looks first.'";
    assert_eq!(world.number(told).await, 2);
}

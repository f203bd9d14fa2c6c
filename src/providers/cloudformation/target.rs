//! Targets of CloudFormation: what an admin fills in, and what a check looks at.

use std::time::Duration;

use super::access::Access;
use super::words::{Refusal, explain};
use crate::providers::Target;
use crate::providers::target::{Finding, Kind, TargetField, TargetForm};

/// The longest that a check takes.
const CHECK: Duration = Duration::from_secs(15);
/// A stack that nobody has: who may look for it is told that there is none.
const NOWHERE: &str = "paddock-check-00000000000000000000000000000000";

pub static FORM: TargetForm = TargetForm {
    about: "A region of an AWS account, in which every environment is a CloudFormation stack.",
    fields: &[
        TargetField::new("region", "Region", Kind::Line).like("eu-west-1").required().binds(),
        TargetField::new(
            "credentials",
            "Credentials",
            Kind::Choice(&[
                ("access_key", "An access key, given below"),
                ("web_identity", "A web identity: a token that AWS takes for a role"),
                ("instance", "What the worker has by itself (variables, container, machine)"),
            ]),
        )
        .binds(),
        TargetField::new("role_arn", "Role to assume", Kind::Line)
            .help("With the credentials above; needed for a web identity.")
            .like("arn:aws:iam::123456789012:role/paddock")
            .binds(),
        TargetField::new("external_id", "External id", Kind::Line)
            .help("What the role's trust policy asks for, if it does."),
        TargetField::new("web_identity_token_file", "File of the web identity token", Kind::Folder)
            .help("A whole path on the worker; read anew each time. Or give the token itself below.")
            .like("/var/run/secrets/eks.amazonaws.com/serviceaccount/token")
            .binds(),
        TargetField::new("service_role_arn", "Role of CloudFormation", Kind::Line)
            .help("CloudFormation makes and removes resources with it. Without it, with the credentials above.")
            .like("arn:aws:iam::123456789012:role/cloudformation"),
        TargetField::new("endpoint", "Endpoint", Kind::Line)
            .help("Another address than AWS's own, for a private link or an emulator.")
            .like("https://vpce-0a1b.cloudformation.eu-west-1.vpce.amazonaws.com")
            .binds(),
        TargetField::new("sts_endpoint", "Endpoint of STS", Kind::Line)
            .help("The same as above when left empty and that is given.")
            .binds(),
        TargetField::new(
            "deadline_seconds",
            "How long a stack may take, in seconds",
            Kind::Number { min: 1, max: 172_800 },
        )
        .help("3600 when left empty. A template can say otherwise (deadline_seconds in its config).")
        .like("3600"),
        TargetField::new(
            "call_timeout_seconds",
            "How long a call may take, in seconds",
            Kind::Number { min: 1, max: 300 },
        )
        .help("20 when left empty.")
        .like("20"),
        TargetField::new("access_key_id", "Access key id", Kind::Line).like("AKIA…").secret(),
        TargetField::new("secret_access_key", "Secret access key", Kind::Line).secret(),
        TargetField::new("session_token", "Session token", Kind::Line).help("Of a temporary access key.").secret(),
        TargetField::new("web_identity_token", "Web identity token", Kind::Text).secret(),
    ],
    sets_credential: false,
};

/// What a check finds.
pub async fn look_at(target: &Target) -> Vec<Finding> {
    match tokio::time::timeout(CHECK, Box::pin(look(target))).await {
        Ok(findings) => findings,
        Err(_) => vec![Finding::failed(
            "Reach",
            format!("AWS did not answer within {} s.", CHECK.as_secs()),
            "See that the region and the endpoint are right, and that a firewall lets this machine through.",
        )],
    }
}

async fn look(target: &Target) -> Vec<Finding> {
    let access = match Access::open(target).await {
        Ok(access) => access,
        Err(error) => {
            let advice = "Correct the settings or the credential; for a role, its trust policy.";
            return vec![Finding::failed("Credential", error.sentence(), advice)];
        }
    };
    let mut findings = vec![who(&access).await];
    findings.push(reach(&access).await);
    findings.extend(rights(&access).await);
    findings
}

/// Whose the credential is.
async fn who(access: &Access) -> Finding {
    let what = "Credential";
    match Box::pin(access.sts.get_caller_identity().send()).await {
        Ok(answer) => {
            let (arn, account) = (answer.arn().unwrap_or_default(), answer.account().unwrap_or_default());
            Finding::ok(what, format!("{arn} in the account {account}."))
        }
        Err(error) => match explain(&error) {
            refusal @ Refusal::Silent(_) => {
                let advice = "See whether STS can be reached, or give its endpoint. Stacks may work all the same.";
                Finding::warning(what, refusal.reading().sentence(), advice)
            }
            refusal => {
                let advice = "Bring the credential again, and see that it is not switched off in IAM.";
                Finding::failed(what, refusal.reading().sentence(), advice)
            }
        },
    }
}

async fn reach(access: &Access) -> Finding {
    let what = "Reach";
    let region = &access.settings.region;
    match Box::pin(access.cloudformation.describe_stacks().stack_name(NOWHERE).send()).await.map_err(|e| explain(&e)) {
        Ok(_) => Finding::ok(what, format!("CloudFormation answers in {region}.")),
        Err(refusal @ Refusal::Silent(_)) => Finding::failed(
            what,
            refusal.reading().sentence(),
            "See that the region and the endpoint are right, and that a firewall lets this machine through.",
        ),
        Err(_) => Finding::ok(what, format!("CloudFormation answers in {region}.")),
    }
}

/// Whether it may look; what it may make, nobody can know without making it.
async fn rights(access: &Access) -> Vec<Finding> {
    let client = &access.cloudformation;
    let stacks = Box::pin(client.describe_stacks().stack_name(NOWHERE).send()).await.map(drop).map_err(|e| explain(&e));
    let events =
        Box::pin(client.describe_stack_events().stack_name(NOWHERE).send()).await.map(drop).map_err(|e| explain(&e));
    let resources =
        Box::pin(client.list_stack_resources().stack_name(NOWHERE).send()).await.map(drop).map_err(|e| explain(&e));
    let sets = client.describe_change_set().stack_name(NOWHERE).change_set_name("none");
    let sets = Box::pin(sets.send()).await.map(drop).map_err(|e| explain(&e));
    let asked = [
        ("cloudformation:DescribeStacks", stacks),
        ("cloudformation:DescribeStackEvents", events),
        ("cloudformation:ListStackResources", resources),
        ("cloudformation:DescribeChangeSet", sets),
    ];
    let mut lacking = Vec::new();
    for (right, answer) in asked {
        if let Err(refusal) = answer
            && (refusal.is("AccessDenied", "") || refusal.is("UnauthorizedOperation", ""))
        {
            lacking.push(right);
        }
    }
    vec![if lacking.is_empty() {
        Finding::ok("Rights", "It may look at stacks. What it may make, the first run tells.")
    } else {
        Finding::failed(
            "Rights",
            format!("It lacks {}.", lacking.join(", ")),
            "Add them to its policy, and CreateChangeSet, ExecuteChangeSet, DeleteChangeSet, DeleteStack, GetTemplate and the \
             drift actions.",
        )
    }]
}

//! Templates of CloudFormation that others wrote: each can be requested, with the inputs of its parameters.

use std::fmt::Write as _;
use std::path::Path;

use paddock::catalog::loader;
use paddock::catalog::source::FolderTree;
use paddock::catalog::{requestable, schema};
use serde_json::{Map, Value};

use super::fixture::Folder;

/// The templates with their inputs, one in a line, and their outputs.
fn told(folder: &Path) -> String {
    let content = loader::load(&FolderTree::open(folder).unwrap()).unwrap();
    let mut text = String::new();
    for problem in &content.problems {
        writeln!(text, "{problem}").unwrap();
    }
    for loaded in &content.templates {
        requestable(&loaded.manifest.provider).unwrap();
        let schema = &loaded.manifest.inputs;
        assert!(schema::compile(schema).is_ok(), "{schema}");
        let outputs: Vec<&str> = loaded.manifest.outputs.iter().map(|output| output.name.as_str()).collect();
        writeln!(text, "{}", format!("{} → {}", loaded.slug, outputs.join(" ")).trim_end()).unwrap();
        for (name, property) in schema["properties"].as_object().unwrap() {
            let mut rest: Map<String, Value> = property.as_object().unwrap().clone();
            rest.shift_remove("description");
            rest.shift_remove("title");
            let needed =
                schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name));
            let mark = if needed { "*" } else { "" };
            writeln!(text, "  {name}{mark} {}", Value::Object(rest)).unwrap();
        }
    }
    text
}

#[test]
fn templates_that_others_wrote_can_be_requested() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cloudformation");
    insta::assert_snapshot!(told(&fixtures), @r#"
    bucket →
      AppName* {"type":"string"}
    dynamodb-table → TableName
      HashKeyElementName* {"type":"string","minLength":1,"maxLength":2048,"pattern":"^(?:[a-zA-Z0-9]*)$"}
      HashKeyElementType {"type":"string","minLength":1,"maxLength":1,"pattern":"^(?:[S|N])$","default":"S"}
      ReadCapacityUnits {"type":"number","minimum":5,"maximum":10000,"default":5}
      WriteCapacityUnits {"type":"number","minimum":5,"maximum":10000,"default":10}
    mysql → DBCredentialSecretNameArn EC2Platform JDBCConnectionString ReplicaJDBCConnectionString
      DBName {"type":"string","minLength":1,"maxLength":64,"pattern":"^(?:[a-zA-Z][a-zA-Z0-9]*)$","default":"MyDatabase"}
      DBUser* {"type":"string","minLength":1,"maxLength":16,"pattern":"^(?:[a-zA-Z][a-zA-Z0-9]*)$","writeOnly":true}
      DBAllocatedStorage {"type":"number","minimum":5,"maximum":1024,"default":5}
      DBInstanceClass {"type":"string","default":"db.t3.medium"}
      EC2SecurityGroup {"type":"string","pattern":"^(?:[a-zA-Z0-9\\-]+)$","default":"default"}
      MultiAZ {"type":"string","enum":["true","false"],"default":"false"}
      EnableReadReplica {"type":"string","enum":["true","false"],"default":"true"}
    sns-topic → TopicARN QueueName
      SubscriptionEndPoint* {"type":"string"}
      SubscriptionProtocol {"type":"string","enum":["http","https","email","email-json","sms","sqs","application","lambda"],"default":"sqs"}
    sqs-queue → QueueURL QueueARN QueueName DeadLetterQueueURL DeadLetterQueueARN
      DelaySeconds {"type":"number","default":5}
      MaximumMessageSize {"type":"number","default":262144}
      MessageRetentionPeriod {"type":"number","default":345600}
      ReceiveMessageWaitTimeSeconds {"type":"number","default":0}
      UsedeadletterQueue {"type":"string","enum":["true","false"],"default":"false"}
      VisibilityTimeout {"type":"number","default":5}
      KmsMasterKeyIdForSqs {"type":"string","default":"alias/aws/sqs"}
    vpc → VPCId PublicSubnet0 PublicSubnet1 PrivateSubnet0 PrivateSubnet1 DefaultSecurityGroup
      VPCName {"type":"string","default":"VPC Public and Private with NAT"}
    "#);
}

#[test]
fn what_does_not_fit_together_is_told() {
    let folder = Folder::new();
    let manifest = |more: &str| format!("name: X\nprovider: cloudformation\n{more}");
    let template = "Parameters:\n  A: {Type: String}\n  B: {Type: String, Default: b}\nResources:\n  Q: {Type: 'AWS::SQS::Queue'}\n";
    folder
        .write("a-none/paddock.yaml", manifest(""))
        .write("b-named/paddock.yaml", manifest("config: {template: other.yaml}\n"))
        .write("c-differs/paddock.yaml", manifest("inputs: {properties: {B: {type: string}, C: {type: string}}}\n"))
        .write("c-differs/template.yaml", template)
        .write("d-broken/paddock.yaml", manifest(""))
        .write("d-broken/template.json", "{\"Resources\": \n}")
        .write(
            "e-fits/paddock.yaml",
            manifest("inputs: {properties: {A: {type: string, enum: [x]}}}\noutputs: [{name: Own}]\n"),
        )
        .write("e-fits/template.yaml", template);
    insta::assert_snapshot!(told(folder.path()), @r#"
    a-none/paddock.yaml: error: config.template: Say which file is the CloudFormation template, or name it “template.yaml”.
    b-named/paddock.yaml: error: config.template: There is no file “other.yaml” in this folder. Add it, or correct the path.
    c-differs/template.yaml:1:1: error: Parameters: The manifest has an input “C”, and the template no such parameter.
    c-differs/template.yaml:2:1: error: Parameters.A: The parameter “A” has no default, and the manifest no such input.
    d-broken/template.json:1:2: error: Resources: This is not a CloudFormation template: it has no “Resources”.
    e-fits → Own
      A {"type":"string","enum":["x"]}
    "#);
}

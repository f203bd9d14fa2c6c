use serde_json::json;

use super::*;

/// The schema of these parameters, and the problems.
fn read(text: &str) -> (Value, Vec<String>) {
    let text = format!("Resources: {{Q: {{Type: 'AWS::SQS::Queue'}}}}\n{text}");
    let mut template = Template::parse("stack/template.yaml".to_owned(), text.as_bytes()).unwrap();
    let schema = template.inputs();
    (schema, template.problems.iter().map(ToString::to_string).collect())
}

fn property_of(text: &str) -> Value {
    let (schema, problems) = read(&format!("Parameters:\n  X: {{{text}}}"));
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    schema["properties"]["X"].clone()
}

#[test]
fn every_type_has_a_field() {
    for (kind, schema) in [
        ("String", json!({"type": "string", "title": "X"})),
        ("Number", json!({"type": "number", "title": "X"})),
        ("CommaDelimitedList", json!({"type": "array", "items": {"type": "string"}, "title": "X"})),
        ("List<Number>", json!({"type": "array", "items": {"type": "number"}, "title": "X"})),
        ("AWS::EC2::KeyPair::KeyName", json!({"type": "string", "title": "X"})),
        ("List<AWS::EC2::Subnet::Id>", json!({"type": "array", "items": {"type": "string"}, "title": "X"})),
        ("AWS::SSM::Parameter::Name", json!({"type": "string", "title": "X"})),
        ("AWS::SSM::Parameter::Value<List<String>>", json!({"type": "string", "title": "X"})),
    ] {
        assert_eq!(property_of(&format!("Type: '{kind}'")), schema, "{kind}");
    }
}

#[test]
fn constraints_are_taken_over() {
    let x = property_of("Type: Number, Default: '5', MinValue: '1', MaxValue: 9.5, Description: How many.");
    assert_eq!(
        x,
        json!({"type": "number", "minimum": 1, "maximum": 9.5, "title": "X", "description": "How many.", "default": 5})
    );
    let x = property_of("Type: String, AllowedValues: [true, 1.10, x], Default: true");
    assert_eq!(x, json!({"type": "string", "enum": ["true", "1.10", "x"], "title": "X", "default": "true"}));
    let x = property_of(
        "Type: String, AllowedPattern: '[a-z]+|0', MinLength: '1', MaxLength: 8, ConstraintDescription: Small letters.",
    );
    assert_eq!(
        x,
        json!({"type": "string", "minLength": 1, "maxLength": 8, "pattern": "^(?:[a-z]+|0)$", "title": "X",
            "description": "Small letters."})
    );
    let x = property_of("Type: CommaDelimitedList, AllowedValues: [a, b], Default: 'a, b'");
    assert_eq!(
        x,
        json!({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "uniqueItems": true, "title": "X",
            "default": ["a", "b"]})
    );
    let x = property_of("Type: 'List<Number>', Default: '80,443', MaxValue: 1000");
    assert_eq!(
        x,
        json!({"type": "array", "items": {"type": "number", "maximum": 1000}, "title": "X", "default": [80, 443]})
    );
    let x = property_of("Type: String, NoEcho: true, Default: not for the catalog");
    assert_eq!(x, json!({"type": "string", "title": "X", "writeOnly": true}));
    let x = property_of("Type: String, AllowedPattern: '\\p{IsLatin}++(?<n>'");
    assert_eq!(x, json!({"type": "string", "title": "X"}), "what only Java understands");
}

#[test]
fn what_has_a_default_may_be_left_out() {
    let (schema, _) =
        read("Parameters:\n  A: {Type: String}\n  B: {Type: String, Default: ''}\n  C: {Type: String, NoEcho: true}");
    assert_eq!(schema["required"], json!(["A", "C"]));
    assert!(super::super::schema::compile(&normalise(schema)).is_ok());
}

#[test]
fn labels_and_order_are_those_of_the_console() {
    let (schema, problems) = read(
        "Metadata:\n  AWS::CloudFormation::Interface:\n    ParameterGroups:\n      - {Label: {default: Net}, Parameters: [B, A]}\n    \
         ParameterLabels: {B: {default: Which network?}}\nParameters:\n  Z: {Type: String}\n  A: {Type: String}\n  B: {Type: String}\n",
    );
    assert_eq!(problems, Vec::<String>::new());
    let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["B", "A", "Z"]);
    assert_eq!(schema["properties"]["B"]["title"], "Which network?");
}

#[test]
fn short_forms_and_json_are_read() {
    let yaml = "AWSTemplateFormatVersion: 2010-09-09\nParameters:\n  Name: {Type: String}\nConditions:\n  C: !Not [!Equals [!Ref Name, '']]\n\
                Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub '${Name}-${AWS::Region}'\n      \
                Tags:\n        - !If\n          - C\n          - Key: a\n            Value: !GetAtt Q.Arn\n          - !Ref AWS::NoValue\n      \
                X: !Join ['', [!Ref Name, !Select [0, !GetAZs '']]]\n      Y:\n        Fn::Base64: !Sub |\n          #!/bin/sh\n          \
                echo ${Name}\nOutputs:\n  Url: {Value: !Ref Q, Description: Where to send.}\n";
    let mut template = Template::parse("t.yaml".to_owned(), yaml.as_bytes()).unwrap();
    assert_eq!(template.inputs()["required"], json!(["Name"]));
    let outputs = template.outputs();
    assert_eq!(outputs[0], OutputSpec { name: "Url".into(), description: "Where to send.".into(), sensitive: false });
    assert!(template.problems.is_empty(), "{:?}", template.problems);
    let json = "{\n\t\"Parameters\": {\"Name\": {\"Type\": \"String\", \"AllowedValues\": [\"a\", \"b\"]}},\n\t\"Resources\": {\"Q\": {}}\n}";
    let mut template = Template::parse("t.json".to_owned(), json.as_bytes()).unwrap();
    assert_eq!(template.inputs()["properties"]["Name"]["enum"], json!(["a", "b"]));
    assert!(template.problems.is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let told = |text: &str| read(text).1.join("\n");
    for (text, words) in [
        (
            "Parameters:\n  X: {Type: Strin}",
            "stack/template.yaml:3:13: error: Parameters.X: “Strin” is not a type of parameters. Did you",
        ),
        (
            "Parameters:\n  X: {Type: Number, Default: many}",
            "stack/template.yaml:3:30: error: Parameters.X: “many” is not a number",
        ),
        (
            "Parameters:\n  X: {Type: Number, MaxValue: 3, Default: 4}",
            "stack/template.yaml:3:43: error: Parameters.X: The default",
        ),
        ("Parameters:\n  X: {}", "A parameter has a “Type”"),
        ("Parameters: [a]", "“Parameters” maps names"),
    ] {
        assert!(told(text).contains(words), "{text}: {}", told(text));
    }
    let parse = |text: &str| Template::parse("t.yaml".to_owned(), text.as_bytes());
    assert!(parse("Resources: [").err().unwrap().to_string().starts_with("t.yaml:1"));
    assert!(parse("a: b").unwrap().problems[0].message.contains("it has no “Resources”"));
    let large = format!("Resources: {{Q: {{}}}}\n# {}", "x".repeat(51_200));
    let told = parse(&large).unwrap().problems[0].to_string();
    assert!(told.contains("t.yaml:1:1") && told.contains("CloudFormation takes 51200 in a request"), "{told}");
}

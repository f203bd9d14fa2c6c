//! A corpus of manifests, most of them wrong, with the words that their authors get.

use std::fmt::Write as _;

use paddock::catalog::Format;
use paddock::catalog::manifest;

/// What reading each text says, under the name of the case.
fn read(format: Format, cases: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, text) in cases {
        let (manifest, problems) = manifest::read("m.yaml", format, text.as_bytes());
        let taken = if manifest.is_some() { "taken" } else { "refused" };
        assert_eq!(manifest.is_none(), problems.iter().any(paddock::catalog::Problem::is_error), "{name}");
        writeln!(out, "{name}: {taken}").unwrap();
        for problem in problems {
            writeln!(out, "  {problem}").unwrap();
        }
    }
    out
}

#[test]
fn paddock_manifests() {
    let bomb = {
        let mut text = String::from("name: Bomb\nprovider: command\na0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let above = format!("*a{}", level - 1);
            writeln!(text, "a{level}: &a{level} [{}]", [above.as_str(); 9].join(", ")).unwrap();
        }
        text
    };
    let deep = format!("name: Deep\nprovider: command\nconfig: {}1{}\n", "{a: ".repeat(200), "}".repeat(200));
    let cases: &[(&str, &str)] = &[
        ("empty", ""),
        ("comment only", "# nothing\n"),
        ("not a mapping", "- name: x\n"),
        ("just text", "hello\n"),
        ("unclosed quote", "name: 'x\nprovider: command\n"),
        ("tab", "name: x\nprovider: command\nconfig:\n\ta: 1\n"),
        ("wrong indentation", "name: x\n  provider: command\n"),
        ("two documents", "name: x\nprovider: command\n---\nname: y\n"),
        ("duplicate key", "name: x\nprovider: command\nname: y\n"),
        ("unknown alias", "name: *x\n"),
        ("bomb", &bomb),
        ("deep", &deep),
        ("nul", "name: \"a\\0b\"\nprovider: command\n"),
        ("unknown keys", "nmae: x\nprovider: command\nparameters: []\nfoo: 1\n"),
        ("missing", "summary: x\n"),
        (
            "wrong types",
            "name: [x]\nprovider: {a: 1}\nversion: 1.10\ntags: database\nkind: pod\nicon: Data Base\nconfig: 3\noutputs: url\n",
        ),
        (
            "long and odd",
            "name: x\nprovider: command\nslug: My Database\ntags: [ok, 'not ok', [x]]\nsummary: >\n  fine\n",
        ),
        ("provider misspelt", "name: x\nprovider: postgress\n"),
        ("provider of another build", "name: x\nprovider: azure\n"),
        (
            "outputs",
            "name: x\nprovider: command\noutputs: [{name: url}, {name: url}, {nam: x}, {name: 'a b'}, url, {name: p, sensitive: maybe}]\n",
        ),
        ("worker labels", "name: x\nprovider: command\nworker_labels: [gpu, Has Blanks, [x]]\n"),
        (
            "actions",
            "name: x\nprovider: command\nauto_stop: 8 parsecs\nconnect: {output: url, lable: x}\nactions:\n  stop: {run: s, inputs: {}}\n  Big Bang: {run: b}\n  b: boom\n  c: {title: C, repeat: never}\n  d: {run: d, inputs: {properties: {a: {type: strin}}}}\n",
        ),
        ("auto_stop without a stop", "name: x\nprovider: command\nauto_stop: 1 min\nactions: [stop]\n"),
        (
            "actions right",
            "name: x\nprovider: command\nauto_stop: 8h\nconnect: {output: url}\noutputs: [{name: url}]\nactions: {start: {run: a}, stop: {run: b}, c: {run: d, inputs: {properties: {a: {type: string}}}}}\n",
        ),
        (
            "everything right",
            "name: x\nversion: 1.10\nprovider: command\nkind: workspace\ntags: [A, b, a]\nworker_labels: [gpu]\noutputs: [{name: url, description: d, sensitive: true}]\ninputs: {properties: {a: {type: string}}, required: [a]}\n",
        ),
    ];
    insta::assert_snapshot!(read(Format::Paddock, cases), @r#"
    empty: refused
      m.yaml:1:1: error: The file is empty. Write the manifest into it: at least “name”.
    comment only: refused
      m.yaml:2:1: error: The file is empty. Write the manifest into it: at least “name”.
    not a mapping: refused
      m.yaml:1:1: error: A manifest is a mapping of keys such as “name: …”; this is a list.
    just text: refused
      m.yaml:1:1: error: A manifest is a mapping of keys such as “name: …”; this is text.
    unclosed quote: refused
      m.yaml:2:1: error: This is not valid YAML: invalid indentation in multiline quoted scalar. Correct this place; often it is the indentation or a missing quote.
    tab: refused
      m.yaml:4:2: error: This is not valid YAML: tabs disallowed within this context (block indentation). Correct this place; often it is the indentation or a missing quote.
    wrong indentation: refused
      m.yaml:2:11: error: This is not valid YAML: mapping values are not allowed in this context. Correct this place; often it is the indentation or a missing quote.
    two documents: refused
      m.yaml:4:1: error: There is more than one document. One is read: remove the “---” and what follows.
    duplicate key: refused
      m.yaml:3:1: error: The key “name” stands here a second time. Remove one of the two.
    unknown alias: refused
      m.yaml:1:7: error: This is not valid YAML: reference to unknown value. Correct this place; often it is the indentation or a missing quote.
    bomb: refused
      m.yaml:7:15: error: It grows too large when its anchors, aliases and nesting are expanded. Write the values out, or make it smaller.
    deep: refused
      m.yaml:3:197: error: It grows too large when its anchors, aliases and nesting are expanded. Write the values out, or make it smaller.
    nul: refused
      m.yaml:1:7: error: The text has a NUL character, which cannot be stored. Remove it.
    unknown keys: refused
      m.yaml:1:1: error: nmae: There is no key “nmae” here. Did you mean “name”?
      m.yaml:3:1: error: parameters: There is no key “parameters” here. Write “inputs”: a JSON Schema of type object with “properties”.
      m.yaml:4:1: error: foo: There is no key “foo” here. The keys here are “name”, “slug”, “version”, “summary”, “icon”, “kind”, “tags”, “provider”, “config”, “inputs”, “outputs”, “worker_labels”, “actions”, “connect”, “auto_stop”, “quotas”, “prices” and “$schema”.
    missing: refused
      m.yaml:1:1: error: name: “name” is missing. Give the template a name for people.
      m.yaml:1:1: error: provider: “provider” is missing. Say what makes it: “postgres”, “terraform”, “cloudformation”, “command”, “ssh”, “webhook” or “simulated”.
    wrong types: refused
      m.yaml:1:7: error: name: “name” is text, not a list.
      m.yaml:2:11: error: provider: “provider” is text, not a mapping.
      m.yaml:4:7: error: tags: “tags” is a list, one item per line with “- ”; this is text.
      m.yaml:5:7: error: kind: “kind” is “environment” or “workspace”, not “pod”.
      m.yaml:6:7: error: icon: “Data Base” is not the name of a Lucide icon; these look like “database” or “git-branch”.
      m.yaml:7:9: error: config: “config” is a mapping of keys and values, not a number.
      m.yaml:8:10: error: outputs: “outputs” is a list, one item per line with “- ”; this is text.
    long and odd: refused
      m.yaml:3:7: error: slug: “My Database” cannot stand in an address: use lower-case letters, digits and dashes, at most 63, such as “my-database”.
      m.yaml:4:12: error: tags: The tag “not ok” has other characters than letters, digits and dashes.
      m.yaml:4:22: error: tags: A tag is one word, not a list.
    provider misspelt: taken
      m.yaml:2:11: warning: provider: This version of Paddock has no provider “postgress”, so nothing can be made from this template. Did you mean “postgres”?
    provider of another build: taken
      m.yaml:2:11: warning: provider: This template is made by Azure Resource Manager (ARM or Bicep). This version of Paddock imports it, but does not deploy to Azure yet.
    outputs: refused
      m.yaml:3:25: error: outputs.1.name: There are two outputs named “url”. Rename or remove one.
      m.yaml:3:38: error: outputs.2.nam: There is no key “nam” here. Did you mean “name”?
      m.yaml:3:48: error: outputs.3.name: “a b” cannot name an output: use letters, digits, “_”, “-” and “.”, at most 63.
      m.yaml:3:62: error: outputs.4: An output is a mapping with “name”, not text: write “- name: …”.
      m.yaml:3:88: error: outputs.5.sensitive: “sensitive” is true or false, not text.
    worker labels: refused
      m.yaml:3:22: error: worker_labels: The label “Has Blanks” must be 1 to 63 lower-case letters, digits and -_./=.
      m.yaml:3:34: error: worker_labels: A label is one word, not a list.
    actions: refused
      m.yaml:3:1: error: auto_stop: “auto_stop” must be a length of time such as “7d”, “12h”, “P7D” or a number of seconds, not “8 parsecs”.
      m.yaml:4:11: error: connect.output: There is no output “url” under “outputs”.
      m.yaml:4:24: error: connect.lable: There is no key “lable” here. Did you mean “label”?
      m.yaml:6:3: error: actions.stop: With “stop” there must be “start” as well: nobody could undo it otherwise.
      m.yaml:6:26: error: actions.stop.inputs: “stop” is a power operation: it is asked for with one click, without a form.
      m.yaml:7:3: error: actions.Big Bang: “Big Bang” cannot name an action: use lower-case letters, digits and dashes.
      m.yaml:8:6: error: actions.b: An action is a mapping with “run”, not text: write “run: …”.
      m.yaml:9:6: error: actions.c.run: “run” is missing. Say what does it: a script of the template, for example.
      m.yaml:9:17: error: actions.c.repeat: “repeat” is “idempotent” or “once”, not “never”.
      m.yaml:10:41: error: actions.d.inputs.properties.a.type: This is not valid JSON Schema: the value must be one of “array”, “boolean”, “integer”, “null”, “number”, “object” or “string”, or must be a list.
    auto_stop without a stop: refused
      m.yaml:3:1: error: auto_stop: “auto_stop” is at least 5 minutes.
      m.yaml:4:10: error: actions: “actions” is a mapping from names to actions, not a list: write “stop: …”.
    actions right: taken
    everything right: taken
    "#);
    let (manifest, _) = manifest::read("m.yaml", Format::Paddock, cases.last().unwrap().1.as_bytes());
    let manifest = manifest.unwrap();
    assert_eq!((manifest.version.as_str(), manifest.tags.join(",").as_str()), ("1.10", "a,b"));
    assert_eq!(manifest.inputs["additionalProperties"], false);
}

#[test]
fn inputs() {
    let cases: Vec<(&str, String)> = [
        ("not an object", "inputs: [a]"),
        ("of another type", "inputs: {type: array}"),
        ("directly under inputs", "inputs: {size: {type: string}}"),
        ("another draft", "inputs: {$schema: 'http://json-schema.org/draft-07/schema#', type: object}"),
        ("unknown type", "inputs: {properties: {a: {type: strng}}}"),
        ("bad keyword value", "inputs: {properties: {a: {type: string, minLength: -1}}}"),
        ("misspelt keyword", "inputs: {properties: {a: {type: integer, minumum: 1, widget: x}}}"),
        ("required inside", "inputs: {properties: {a: {type: string, required: true}}}"),
        ("required unknown", "inputs: {properties: {size: {type: string}}, required: [sise]}"),
        ("bad pattern", "inputs: {properties: {a: {type: string, pattern: '[a-'}}}"),
        ("remote reference", "inputs: {properties: {a: {$ref: 'https://example.com/s.json'}}}"),
        ("file reference", "inputs: {properties: {a: {$ref: 'file:///etc/passwd'}}}"),
        ("dangling reference", "inputs: {properties: {a: {$ref: '#/$defs/a'}}}"),
        ("cycle", "inputs: {$defs: {a: {properties: {b: {$ref: '#/$defs/a'}}}}, properties: {a: {$ref: '#/$defs/a'}}}"),
        ("itself", "inputs: {properties: {a: {$ref: '#'}}}"),
        ("default of another type", "inputs: {properties: {a: {type: integer, default: big}}}"),
        ("default out of range", "inputs: {properties: {a: {type: integer, maximum: 3, default: 5}}}"),
        ("default not in enum", "inputs: {properties: {a: {enum: [s, m], default: xl}}}"),
        ("read-only without default", "inputs: {properties: {a: {type: string, readOnly: true}}}"),
        ("secret with default", "inputs: {properties: {a: {type: string, writeOnly: true, default: hunter2}}}"),
        ("odd names", "inputs: {properties: {'a/b': {type: string}, 'c d': {type: string}}}"),
        ("property not a schema", "inputs: {properties: {a: string}}"),
        ("control", "inputs: {properties: {a: {type: string, x-paddock-control: slider}}}"),
        (
            "choices",
            "inputs: {properties: {a: {enum: [s], x-paddock-choices: [{value: m}]}, b: {x-paddock-choices: [m]}}}",
        ),
        ("local reference", "inputs: {$defs: {s: {type: string}}, properties: {a: {$ref: '#/$defs/s'}}}"),
    ]
    .into_iter()
    .map(|(name, text)| (name, format!("name: x\nprovider: command\n{text}\n")))
    .collect();
    let cases: Vec<(&str, &str)> = cases.iter().map(|(name, text)| (*name, text.as_str())).collect();
    insta::assert_snapshot!(read(Format::Paddock, &cases), @r#"
    not an object: refused
      m.yaml:3:9: error: inputs: “inputs” is a JSON Schema of type object, with “properties”; this is a list.
    of another type: refused
      m.yaml:3:10: error: inputs.type: The inputs together are an object: write “type: object”, not “array”.
    directly under inputs: refused
      m.yaml:3:9: error: inputs: “inputs” is a JSON Schema. Put “size” under “properties” there.
    another draft: refused
      m.yaml:3:10: error: inputs.$schema: Inputs are JSON Schema 2020-12, not “http://json-schema.org/draft-07/schema#”. Write “https://json-schema.org/draft/2020-12/schema” or leave “$schema” out.
    unknown type: refused
      m.yaml:3:27: error: inputs.properties.a.type: This is not valid JSON Schema: the value must be one of “array”, “boolean”, “integer”, “null”, “number”, “object” or “string”, or must be a list.
    bad keyword value: refused
      m.yaml:3:41: error: inputs.properties.a.minLength: This is not valid JSON Schema: the value must be at least 0.
    misspelt keyword: taken
      m.yaml:3:42: warning: inputs.properties.a.minumum: JSON Schema has no keyword “minumum”, so it does nothing. Did you mean “minimum”?
      m.yaml:3:54: warning: inputs.properties.a.widget: JSON Schema has no keyword “widget”, so it does nothing. Remove it.
    required inside: refused
      m.yaml:3:41: error: inputs.properties.a.required: “required” is a list of names beside “properties”: “required: [name]”. Move it one level up.
    required unknown: refused
      m.yaml:3:57: error: inputs.required.0: “sise” is required, but there is no such input under “properties”. Did you mean “size”?
    bad pattern: refused
      m.yaml:3:41: error: inputs.properties.a.pattern: “[a-” is not a regular expression. Correct the pattern.
    remote reference: refused
      m.yaml:3:27: error: inputs.properties.a.$ref: “https://example.com/s.json” lies outside this file. Remote references are not read: copy the definition under “$defs”.
    file reference: refused
      m.yaml:3:27: error: inputs.properties.a.$ref: “file:///etc/passwd” lies outside this file. Remote references are not read: copy the definition under “$defs”.
    dangling reference: refused
      m.yaml:3:27: error: inputs.properties.a.$ref: There is nothing at “#/$defs/a”. Define it under “$defs”.
    cycle: refused
      m.yaml:3:9: error: inputs: “#/$defs/a” contains itself. A form cannot be made of endless inputs: write the levels out.
    itself: refused
      m.yaml:3:27: error: inputs.properties.a.$ref: The schema refers to itself as a whole. Write the levels out.
    default of another type: refused
      m.yaml:3:42: error: inputs.properties.a.default: The default is not a value that this input takes: it must be a whole number; “big” was given.
    default out of range: refused
      m.yaml:3:54: error: inputs.properties.a.default: The default is not a value that this input takes: it must be at most 3; 5 was given.
    default not in enum: refused
      m.yaml:3:41: error: inputs.properties.a.default: The default is not a value that this input takes: it must be one of “s” or “m”; “xl” was given.
    read-only without default: refused
      m.yaml:3:23: error: inputs.properties.a: A read-only input always takes its default. Give it a “default”, or remove “readOnly”.
    secret with default: taken
      m.yaml:3:23: warning: inputs.properties.a: This secret has a default, which everybody can read in the catalog. Remove it, or do not mark the input “writeOnly”.
    odd names: refused
      m.yaml:3:23: error: inputs.properties.a/b: “a/b” cannot name an input: use letters, digits, “_”, “-” and “.”, at most 63.
      m.yaml:3:46: error: inputs.properties.c d: “c d” cannot name an input: use letters, digits, “_”, “-” and “.”, at most 63.
    property not a schema: refused
      m.yaml:3:23: error: inputs.properties.a: An input is a mapping, such as “a: {type: string}”.
    control: refused
      m.yaml:3:41: error: inputs.properties.a.x-paddock-control: The control is “radios”, “select”, “textarea”, “checks”, “json” or “list”, not “slider”.
    choices: refused
      m.yaml:3:38: error: inputs.properties.a.x-paddock-choices: The choice “m” is not in “enum”.
      m.yaml:3:76: error: inputs.properties.b.x-paddock-choices: Choices are a list of {value, label, help}; each needs a “value”.
    local reference: taken
    "#);
}

#[test]
fn manifests_of_azure_deployment_environments() {
    const HEAD: &str = "name: x\nrunner: ARM\ntemplatePath: azuredeploy.json\n";
    let cases: Vec<(&str, String)> = [
        ("unknown key", "templatepath: x\nauthor: me\n"),
        ("required with default", "parameters: [{id: a, type: string, required: true, default: s}]\n"),
        ("expression as default", "parameters: [{id: location, description: Where, default: '[resourceGroup().location]', required: true}]\n"),
        ("default not allowed", "parameters: [{id: cpuCore, default: .5, allowed: ['0.25', '0.5', '1.0']}]\n"),
        ("numbers as text", "parameters: [{id: n, type: integer, default: '3', allowed: ['1', '3']}, {id: f, type: Number, default: .5}, {id: b, type: bool, default: 'True'}]\n"),
        ("lists and objects as text", "parameters: [{id: a, type: array, default: '[\"x\"]'}, {id: o, type: object, default: {k: 1}}]\n"),
        ("default of another type", "parameters: [{id: n, type: integer, default: many}]\n"),
        ("nothing allowed", "parameters: [{id: a, allowed: []}]\n"),
        ("read-only without default", "parameters: [{id: a, readOnly: true}]\n"),
        ("broken parameters", "parameters: [{name: x}, {id: 'a b'}, x, {id: a, type: secret}, {id: a}, {id: c, typ: int}]\n"),
        ("parameters not a list", "parameters: {a: {type: string}}\n"),
        ("null everywhere", "version:\nsummary:\nparameters:\n"),
        ("own settings", "x-paddock: {slug: my-x, tags: [web], kind: workspace, inputs: {a: {writeOnly: true}}, foo: 1}\nparameters: [{id: ab}]\n"),
        ("own settings right", "x-paddock: {slug: my-x, tags: [web], inputs: {a: {writeOnly: true}}, outputs: [{name: url}]}\nparameters: [{id: a}]\n"),
    ]
    .into_iter()
    .map(|(name, text)| (name, format!("{HEAD}{text}")))
    .chain([
        ("path up", "name: x\nrunner: ARM\ntemplatePath: ../../etc/passwd\n".to_owned()),
        ("absolute path", "name: x\nrunner: ARM\ntemplatePath: /etc/passwd\n".to_owned()),
        ("drive", "name: x\nrunner: ARM\ntemplatePath: C:\\x\n".to_owned()),
        ("address", "name: x\nrunner: ARM\ntemplatePath: https://example.com/x.json\n".to_owned()),
        ("backslashes", "name: x\nrunner: Bicep\ntemplatePath: infra\\main.bicep\n".to_owned()),
        ("no template", "name: x\nrunner: ARM\n".to_owned()),
        ("no runner", "name: x\ntemplatePath: main.bicep\n".to_owned()),
        ("no runner, no guess", "name: x\ntemplatePath: Pulumi.yaml\n".to_owned()),
        ("engine", "name: x\nengine: {type: ARM, templatePath: azuredeploy.json}\n".to_owned()),
        ("image", "name: x\nrunner: registry.example.com/runner:1.0\ntemplatePath: Pulumi.yaml".to_owned()),
        ("terraform", "name: x\nrunner: Terraform\ntemplatePath: infra/main.tf\n\n\n".to_owned()),
    ])
    .collect();
    let cases: Vec<(&str, &str)> = cases.iter().map(|(name, text)| (*name, text.as_str())).collect();
    insta::assert_snapshot!(read(Format::Ade, &cases), @r#"
    unknown key: taken
      m.yaml:4:1: warning: templatepath: There is no key “templatepath” here. Did you mean “templatePath”?
      m.yaml:5:1: warning: author: There is no key “author” here. It is ignored. Keys of our own stand under “x-paddock”.
    required with default: taken
    expression as default: taken
    default not allowed: taken
      m.yaml:4:37: warning: parameters.0.default: The default “.5” is not one of the allowed values, so the form starts without a choice. Add it to “allowed”, or change it.
    numbers as text: taken
    lists and objects as text: taken
    default of another type: taken
      m.yaml:4:46: warning: parameters.0.default: The default is text, but the parameter is an integer; it is left out of the form.
    nothing allowed: taken
      m.yaml:4:31: warning: parameters.0.allowed: No value is allowed here, so the list is ignored.
    read-only without default: taken
      m.yaml:4:14: warning: parameters.properties.a: A read-only input always takes its default. Give it a “default”, or remove “readOnly”.
    broken parameters: refused
      m.yaml:4:14: error: parameters.0.id: “id” is missing. It is the name that the template gets the value under.
      m.yaml:4:26: error: parameters.1.id: “a b” cannot name an input: use letters, digits, “_”, “-” and “.”, at most 63.
      m.yaml:4:38: error: parameters.2: A parameter is a mapping with “id”, not text: write “- id: …”.
      m.yaml:4:49: error: parameters.3.type: “secret” is not a type: array, boolean, integer, number, object or string.
      m.yaml:4:64: error: parameters.4.id: There are two parameters with the id “a”. Rename or remove one.
      m.yaml:4:81: warning: parameters.5.typ: There is no key “typ” here. Did you mean “type”?
    parameters not a list: refused
      m.yaml:4:13: error: parameters: “parameters” is a list, one item per line with “- ”; this is a mapping.
    null everywhere: taken
    own settings: refused
      m.yaml:4:64: error: x-paddock.inputs.a: There is no parameter with the id “a”. Did you mean “ab”?
      m.yaml:4:87: error: x-paddock.foo: There is no key “foo” here. The keys here are “slug”, “icon”, “kind”, “tags”, “provider”, “config”, “inputs”, “outputs”, “summary”, “worker_labels”, “actions”, “connect”, “auto_stop”, “quotas” and “prices”.
    own settings right: taken
    path up: refused
      m.yaml:3:15: error: templatePath: “../../etc/passwd” leaves the template's folder (“..”). Name a file inside the template's own folder, such as “main.bicep”.
    absolute path: refused
      m.yaml:3:15: error: templatePath: “/etc/passwd” is an absolute path. Name a file inside the template's own folder, such as “main.bicep”.
    drive: refused
      m.yaml:3:15: error: templatePath: “C:\x” is an absolute path. Name a file inside the template's own folder, such as “main.bicep”.
    address: refused
      m.yaml:3:15: error: templatePath: “https://example.com/x.json” is an address, not a file. Name a file inside the template's own folder, such as “main.bicep”.
    backslashes: taken
      m.yaml:3:15: warning: templatePath: Paths are written with “/”; “infra\main.bicep” is read as “infra/main.bicep”.
    no template: refused
      m.yaml:1:1: error: templatePath: “templatePath” is missing. Name the file that the template starts from, such as “main.bicep”.
    no runner: taken
      m.yaml:1:1: warning: runner: “runner” is missing; it is read as “Bicep” after the template's file.
    no runner, no guess: refused
      m.yaml:1:1: error: runner: “runner” is missing and does not follow from the template's file. Write “runner: ARM”, “Bicep”, “Terraform” or a container image.
    engine: taken
      m.yaml:2:9: warning: engine: “engine” is from an early preview. Write “runner” instead.
    image: taken
    terraform: taken
    "#);
}

#[test]
fn parameters_become_a_schema() {
    let text = "name: x\nrunner: registry.example.com/r:1\ntemplatePath: m\nparameters:\n\
        - {id: location, name: Location, description: Where, default: '[resourceGroup().location]', required: true}\n\
        - {id: cpu, type: number, default: .5, allowed: ['0.25', '0.5']}\n\
        - {id: size, required: true, default: s}\n\
        - {id: key}\n\
        x-paddock: {inputs: {key: {writeOnly: true}}}\n";
    let (manifest, problems) = manifest::read("environment.yaml", Format::Ade, text.as_bytes());
    assert!(problems.is_empty(), "{problems:?}");
    let manifest = manifest.unwrap();
    assert_eq!(
        (manifest.provider.as_str(), manifest.config["image"].as_str()),
        ("command", Some("registry.example.com/r:1"))
    );
    insta::assert_json_snapshot!(manifest.inputs, @r#"
    {
      "type": "object",
      "properties": {
        "location": {
          "title": "Location",
          "type": "string",
          "x-paddock-expression": "[resourceGroup().location]",
          "description": "Where. Left empty, Azure computes it: [resourceGroup().location]"
        },
        "cpu": {
          "type": "number",
          "default": 0.5,
          "enum": [
            0.25,
            0.5
          ]
        },
        "size": {
          "type": "string",
          "default": "s"
        },
        "key": {
          "type": "string",
          "writeOnly": true
        }
      },
      "required": [
        "size"
      ],
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "additionalProperties": false
    }
    "#);
}

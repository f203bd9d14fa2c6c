//! The state of the account: stacks, change sets, events, and how operations go on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use super::Fault;
use super::wire::{Answer, Params, members, page, refused, tag};

/// How many events happen at a look.
const PACE: usize = 3;

type Resources = Map<String, Value>;

#[derive(Debug, Clone)]
pub struct Event {
    id: usize,
    logical: String,
    physical: String,
    kind: String,
    status: String,
    reason: String,
    token: String,
}

#[derive(Debug, Clone)]
struct Held {
    physical: String,
    kind: String,
    status: String,
    body: Value,
    drift: Option<Value>,
}

/// What happens next: a resource (none: the stack itself), its new state, and why.
#[derive(Debug, Clone)]
struct Next {
    logical: Option<String>,
    status: &'static str,
    reason: String,
    body: Option<Value>,
}

#[derive(Debug)]
pub struct Stack {
    pub id: String,
    pub name: String,
    pub status: String,
    pub tags: Vec<(String, String)>,
    template: Value,
    body: String,
    parameters: BTreeMap<String, String>,
    held: Vec<(String, Held)>,
    events: Vec<Event>,
    script: VecDeque<Next>,
    token: String,
    set: String,
    detections: usize,
}

#[derive(Debug, Clone)]
struct Set {
    id: String,
    name: String,
    stack: String,
    status: &'static str,
    reason: String,
    execution: &'static str,
    kind: String,
    template: Value,
    body: String,
    parameters: BTreeMap<String, String>,
    tags: Vec<(String, String)>,
    changes: Vec<(String, &'static str, String, bool, bool)>,
    token: String,
}

/// Everything about the account.
#[derive(Debug, Default)]
pub struct Account {
    pub stacks: Vec<Stack>,
    sets: Vec<Set>,
    /// The actions that were asked for.
    pub calls: Vec<String>,
    /// What really happened to resources: stack, logical id, `made`, `changed`, `replaced`, `removed`.
    pub effects: Vec<(String, String, &'static str)>,
    pub faults: BTreeMap<String, VecDeque<Fault>>,
    /// Access keys that are taken, beside `AKIAGOOD`.
    pub keys: BTreeSet<String>,
    pub external_id: Option<String>,
    pub web_token: Option<String>,
    pub assumed: Vec<String>,
    pub short_lived: bool,
    /// Actions that the caller has no right to.
    pub denied: BTreeSet<String>,
    /// Whether change sets are forgotten once they are executed, as some emulators do.
    pub forgetful: bool,
    seq: usize,
}

impl Account {
    pub fn answer(&mut self, action: &str, params: &Params, headers: &HeaderMap) -> Answer {
        let signature = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = signature.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if action != "AssumeRoleWithWebIdentity" && key != "AKIAGOOD" && !self.keys.contains(key) {
            return refused("InvalidClientTokenId", "The security token included in the request is invalid.");
        }
        if self.denied.contains(action) {
            let message = format!("User: {key} is not authorized to perform: cloudformation:{action}");
            return refused("AccessDenied", message);
        }
        if let Some(answer) = self.sts(action, params, key) {
            return answer;
        }
        match action {
            "CreateChangeSet" => self.create_change_set(params),
            "DescribeChangeSet" => self.describe_change_set(params),
            "DeleteChangeSet" => {
                let id = self.set(params)?.id.clone();
                self.sets.retain(|set| set.id != id);
                Ok(String::new())
            }
            "ExecuteChangeSet" => self.execute(params),
            "DescribeStacks" => self.describe_stacks(params),
            "DescribeStackEvents" => {
                let stack = self.find(params.get("StackName"), true)?;
                let mut events = stack.events.clone();
                events.reverse();
                let (events, next) = page(&events, params.get("NextToken"), 4);
                let (id, name) = (stack.id.clone(), stack.name.clone());
                Ok(members("StackEvents", events.iter().map(|event| event.xml(&id, &name))) + &*next)
            }
            "ListStackResources" => {
                let stack = self.find(params.get("StackName"), true)?;
                let (held, next) = page(&stack.held, params.get("NextToken"), 2);
                let xml = held.iter().map(|(logical, held)| {
                    tag("LogicalResourceId", logical)
                        + &*tag("PhysicalResourceId", &held.physical)
                        + &*tag("ResourceType", &held.kind)
                        + &*tag("ResourceStatus", &held.status)
                        + "<LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp>"
                });
                Ok(members("StackResourceSummaries", xml.collect::<Vec<_>>()) + &*next)
            }
            "GetTemplate" => Ok(tag("TemplateBody", &self.find(params.get("StackName"), true)?.body)),
            "DeleteStack" => self.delete_stack(params),
            "DetectStackDrift" => {
                let stack = self.find(params.get("StackName"), false)?;
                stack.detections = 2;
                Ok(tag("StackDriftDetectionId", &stack.id.clone()))
            }
            "DescribeStackDriftDetectionStatus" => {
                let stack = self.find(params.get("StackDriftDetectionId"), false)?;
                stack.detections = stack.detections.saturating_sub(1);
                let drifted = stack.held.iter().filter(|(_, held)| held.drift.is_some()).count();
                let status = if stack.detections > 0 { "DETECTION_IN_PROGRESS" } else { "DETECTION_COMPLETE" };
                Ok(tag("StackId", &stack.id)
                    + &*tag("StackDriftDetectionId", &stack.id)
                    + &*tag("StackDriftStatus", if drifted > 0 { "DRIFTED" } else { "IN_SYNC" })
                    + &*tag("DetectionStatus", status)
                    + &*tag("DriftedStackResourceCount", &drifted.to_string())
                    + "<Timestamp>2026-01-01T00:00:00Z</Timestamp>")
            }
            "DescribeStackResourceDrifts" => {
                let stack = self.find(params.get("StackName"), false)?;
                let id = stack.id.clone();
                let (held, next) = page(&stack.held, params.get("NextToken"), 2);
                let xml = held.iter().map(|(logical, held)| drift_xml(&id, logical, held));
                Ok(members("StackResourceDrifts", xml.collect::<Vec<_>>()) + &*next)
            }
            other => refused("InvalidAction", format!("Could not find operation {other}")),
        }
    }

    /// Somebody changes a resource by hand: the differences, or null when it was removed.
    pub fn drift(&mut self, logical: &str, differences: Value) {
        for (name, held) in self.stacks.iter_mut().flat_map(|stack| &mut stack.held) {
            if name == logical {
                held.drift = Some(differences.clone());
            }
        }
    }

    /// The stack of that name that is not gone.
    pub fn stack(&self, part: &str) -> Option<&Stack> {
        self.stacks.iter().find(|stack| stack.name.contains(part) && stack.status != "DELETE_COMPLETE")
    }

    /// A stack that somebody else made.
    pub fn plant(&mut self, name: &str, status: &str) {
        self.seq += 1;
        let id = format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/{name}/{}", self.seq);
        self.stacks.push(Stack::new(id, name, status));
    }

    /// The change sets that wait do one thing less than they said.
    pub fn shorten_change_sets(&mut self) {
        for set in &mut self.sets {
            set.changes.pop();
        }
    }

    /// The stack that a resource of another one is, with what happened in it: queues by name, or itself.
    pub fn nest(&mut self, name: &str, told: &[(&str, &'static str, &str)]) -> String {
        self.plant(name, "CREATE_COMPLETE");
        let mut seq = self.seq;
        let stack = self.stacks.last_mut().unwrap();
        let queue = serde_json::json!({"Type": "AWS::SQS::Queue"});
        for &(logical, status, reason) in told {
            seq += 1;
            stack.happen(
                seq,
                &if logical.is_empty() { of_stack(status, reason) } else { of(logical, status, reason, Some(&queue)) },
            );
        }
        self.seq = seq;
        self.stacks.last().unwrap().id.clone()
    }

    /// How often something happened to a stack's resource.
    pub fn count(&self, stack: &str, logical: &str, effect: &str) -> usize {
        let is = |one: &&(String, String, &str)| one.0.contains(stack) && one.1 == logical && one.2 == effect;
        self.effects.iter().filter(is).count()
    }

    fn find(&mut self, name: &str, also_gone: bool) -> Result<&mut Stack, (String, String)> {
        let by_id = |stack: &&mut Stack| stack.id == name && (also_gone || stack.status != "DELETE_COMPLETE");
        let by_name = |stack: &&mut Stack| stack.name == name && stack.status != "DELETE_COMPLETE";
        let found = self.stacks.iter_mut().find(|stack| by_id(stack) || by_name(stack));
        found.map_or_else(|| refused("ValidationError", format!("Stack with id {name} does not exist")), Ok)
    }

    fn set(&mut self, params: &Params) -> Result<&mut Set, (String, String)> {
        let (name, stack) = (params.get("ChangeSetName").to_owned(), params.get("StackName").to_owned());
        let stack = if stack.is_empty() { stack } else { self.find(&stack, false)?.id.clone() };
        let found = self.sets.iter_mut().find(|set| set.id == name || (set.name == name && set.stack == stack));
        found.map_or_else(|| refused("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")), Ok)
    }

    fn create_change_set(&mut self, params: &Params) -> Answer {
        let (name, stack_name) = (params.get("ChangeSetName"), params.get("StackName"));
        let template: Value = serde_json::from_str(params.get("TemplateBody"))
            .or_else(|_| serde_saphyr::from_str(params.get("TemplateBody")))
            .or_else(|_| refused("ValidationError", "Template format error: unsupported structure."))?;
        let parameters = check_parameters(&template, &params.pairs("Parameters", "ParameterKey", "ParameterValue"))?;
        let resources = effective(&template, &parameters);
        let iam = resources.values().any(|one| one["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::IAM::")));
        if iam && !params.list("Capabilities").iter().any(|one| one.starts_with("CAPABILITY_") && one.ends_with("IAM"))
        {
            return refused("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]");
        }
        let create = params.get("ChangeSetType") == "CREATE";
        self.seq += 1;
        let seq = self.seq;
        let there = self.stacks.iter().find(|stack| stack.name == stack_name && stack.status != "DELETE_COMPLETE");
        match there {
            Some(stack) if create && stack.status != "REVIEW_IN_PROGRESS" => {
                let message = format!(
                    "Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
                );
                return refused("ValidationError", message);
            }
            None if !create => return refused("ValidationError", format!("Stack [{stack_name}] does not exist")),
            Some(stack) if !create && !can_change(&stack.status) => {
                let message = format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status);
                return refused("ValidationError", message);
            }
            None => {
                let id = format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/{stack_name}/{seq}");
                let mut stack = Stack::new(id, stack_name, "REVIEW_IN_PROGRESS");
                stack.event(seq, None, "REVIEW_IN_PROGRESS", "User Initiated");
                self.stacks.push(stack);
            }
            Some(_) => {}
        }
        let stack = self.find(stack_name, false)?;
        let (stack_id, old) = (stack.id.clone(), stack.held.clone());
        let (same_tags, same_outputs) =
            (stack.tags == params.pairs("Tags", "Key", "Value"), stack.template["Outputs"] == template["Outputs"]);
        if self.sets.iter().any(|set| set.stack == stack_id && set.name == name) {
            return refused("AlreadyExistsException", format!("ChangeSet [{name}] already exists"));
        }
        let changes = differences(&old, &resources);
        let nothing = !create && changes.is_empty() && same_tags && same_outputs;
        let id = format!("arn:aws:cloudformation:eu-west-1:123456789012:changeSet/{name}/{seq}");
        self.sets.push(Set {
            id: id.clone(),
            name: name.to_owned(),
            stack: stack_id.clone(),
            status: if nothing { "NOTHING" } else { "CREATE_PENDING" },
            reason: String::new(),
            execution: "UNAVAILABLE",
            kind: params.get("ChangeSetType").to_owned(),
            template,
            body: params.get("TemplateBody").to_owned(),
            parameters,
            tags: params.pairs("Tags", "Key", "Value"),
            changes,
            token: String::new(),
        });
        Ok(tag("Id", &id) + &*tag("StackId", &stack_id))
    }

    fn describe_change_set(&mut self, params: &Params) -> Answer {
        let next = params.get("NextToken").to_owned();
        let set = self.set(params)?;
        if next.is_empty() {
            (set.status, set.execution) = match set.status {
                "CREATE_PENDING" => ("CREATE_IN_PROGRESS", "UNAVAILABLE"),
                "CREATE_IN_PROGRESS" => ("CREATE_COMPLETE", "AVAILABLE"),
                "NOTHING" => {
                    "The submitted information didn't contain changes. Submit different information to create a change set."
                        .clone_into(&mut set.reason);
                    ("FAILED", "UNAVAILABLE")
                }
                other => (other, set.execution),
            };
        }
        let (changes, token) = page(&set.changes, &next, 2);
        let changes = changes.iter().map(|(logical, action, kind, replaces, stays)| {
            let replacement = if *replaces { "True" } else { "False" };
            let replacement = if *action == "Modify" { tag("Replacement", replacement) } else { String::new() };
            let detail = if *action == "Modify" {
                "<Details><member><Target><Attribute>Properties</Attribute><Name>Size</Name></Target></member></Details>"
            } else {
                ""
            };
            let policy = if *stays { tag("PolicyAction", "Retain") } else { String::new() };
            format!(
                "<Type>Resource</Type><ResourceChange>{policy}{}{}{}{replacement}{detail}</ResourceChange>",
                tag("Action", action),
                tag("LogicalResourceId", logical),
                tag("ResourceType", kind)
            )
        });
        Ok(tag("ChangeSetName", &set.name)
            + &*tag("ChangeSetId", &set.id)
            + &*tag("StackId", &set.stack)
            + &*tag("Status", set.status)
            + &*tag("StatusReason", &set.reason)
            + &*tag("ExecutionStatus", set.execution)
            + &*members("Changes", changes.collect::<Vec<_>>())
            + &*token)
    }

    fn execute(&mut self, params: &Params) -> Answer {
        let token = params.get("ClientRequestToken").to_owned();
        let set = self.set(params)?;
        if set.execution != "AVAILABLE" {
            if !set.token.is_empty() && set.token == token {
                return Ok(String::new());
            }
            let message = format!(
                "ChangeSet [{}] cannot be executed in its current execution status of [{}]",
                set.id, set.execution
            );
            return refused("InvalidChangeSetStatus", message);
        }
        (set.execution, set.token) = ("EXECUTE_IN_PROGRESS", token.clone());
        let set = set.clone();
        for other in self.sets.iter_mut().filter(|other| other.stack == set.stack && other.id != set.id) {
            other.execution = "OBSOLETE";
        }
        let stack = self.find(&set.stack, false)?;
        stack.token = token;
        stack.set = set.id.clone();
        stack.tags = set.tags.clone();
        let wished = effective(&set.template, &set.parameters);
        stack.script = if set.kind == "CREATE" { creation(&wished) } else { update(&stack.held, &wished) };
        (stack.template, stack.body, stack.parameters) = (set.template, set.body, set.parameters);
        self.go_on(&set.stack, 1);
        Ok(String::new())
    }

    fn delete_stack(&mut self, params: &Params) -> Answer {
        let name = params.get("StackName");
        let Ok(stack) = self.find(name, false) else { return Ok(String::new()) };
        let id = stack.id.clone();
        match stack.status.as_str() {
            "DELETE_IN_PROGRESS" => return Ok(String::new()),
            "REVIEW_IN_PROGRESS" => {
                stack.status = "DELETE_COMPLETE".to_owned();
                self.sets.retain(|set| set.stack != id);
                return Ok(String::new());
            }
            "CREATE_IN_PROGRESS" => {}
            moving if moving.ends_with("_IN_PROGRESS") => {
                let message = format!("Stack [{name}] cannot be deleted while in status {moving}");
                return refused("ValidationError", message);
            }
            _ => {}
        }
        stack.token = params.get("ClientRequestToken").to_owned();
        stack.script = removal(&stack.held);
        self.sets.retain(|set| set.stack != id);
        self.go_on(&id, 1);
        Ok(String::new())
    }

    fn describe_stacks(&mut self, params: &Params) -> Answer {
        if params.get("StackName").is_empty() {
            let all: Vec<String> =
                self.stacks.iter().filter(|one| one.status != "DELETE_COMPLETE").map(Stack::xml).collect();
            let (stacks, next) = page(&all, params.get("NextToken"), 2);
            return Ok(members("Stacks", stacks) + &*next);
        }
        let id = self.find(params.get("StackName"), true)?.id.clone();
        self.go_on(&id, PACE);
        let stack = self.find(&id, true)?;
        Ok(members("Stacks", [stack.xml()]))
    }

    /// Lets the next events happen.
    fn go_on(&mut self, id: &str, steps: usize) {
        for _ in 0..steps {
            self.seq += 1;
            let (seq, forgetful) = (self.seq, self.forgetful);
            let Some(stack) = self.stacks.iter_mut().find(|stack| stack.id == id) else { return };
            let Some(next) = stack.script.pop_front() else { return };
            if let Some(effect) = stack.happen(seq, &next) {
                self.effects.push((stack.name.clone(), next.logical.clone().unwrap_or_default(), effect));
            }
            if next.logical.is_none() && !next.status.ends_with("_IN_PROGRESS") {
                let failed = next.status.contains("ROLLBACK") || next.status.ends_with("FAILED");
                for set in self.sets.iter_mut().filter(|set| set.stack == id && set.execution == "EXECUTE_IN_PROGRESS")
                {
                    set.execution = if failed { "EXECUTE_FAILED" } else { "EXECUTE_COMPLETE" };
                }
                if forgetful {
                    self.sets.retain(|set| set.stack != id);
                }
            }
        }
    }
}

impl Stack {
    fn new(id: String, name: &str, status: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            status: status.to_owned(),
            tags: Vec::new(),
            template: Value::Null,
            body: String::new(),
            parameters: BTreeMap::new(),
            held: Vec::new(),
            events: Vec::new(),
            script: VecDeque::new(),
            token: String::new(),
            set: String::new(),
            detections: 0,
        }
    }

    fn event(&mut self, seq: usize, logical: Option<&str>, status: &str, reason: &str) {
        let held = logical.and_then(|name| self.held.iter().find(|(known, _)| known == name)).map(|(_, held)| held);
        self.events.push(Event {
            id: seq,
            logical: logical.unwrap_or(&self.name).to_owned(),
            physical: held.map_or_else(
                || if logical.is_none() { self.id.clone() } else { String::new() },
                |held| held.physical.clone(),
            ),
            kind: held.map_or_else(|| "AWS::CloudFormation::Stack".to_owned(), |held| held.kind.clone()),
            status: status.to_owned(),
            reason: reason.to_owned(),
            token: self.token.clone(),
        });
    }

    /// One step; the effect that it really had on a resource.
    fn happen(&mut self, seq: usize, next: &Next) -> Option<&'static str> {
        let Some(logical) = &next.logical else {
            next.status.clone_into(&mut self.status);
            self.event(seq, None, next.status, &next.reason);
            return None;
        };
        if let Some(body) = &next.body
            && !self.held.iter().any(|(name, _)| name == logical)
        {
            let kind = body["Type"].as_str().unwrap_or_default().to_owned();
            let physical = String::new();
            let held = Held { physical, kind, status: String::new(), body: body.clone(), drift: None };
            self.held.push((logical.clone(), held));
        }
        let (_, held) = self.held.iter_mut().find(|(name, _)| name == logical).unwrap();
        next.status.clone_into(&mut held.status);
        let effect = match next.status {
            "CREATE_COMPLETE" => Some("made"),
            "UPDATE_COMPLETE" => Some(if next.reason == "replaced" { "replaced" } else { "changed" }),
            "DELETE_COMPLETE" if !held.physical.is_empty() => Some("removed"),
            _ => None,
        };
        if matches!(next.status, "CREATE_COMPLETE") || next.reason == "replaced" {
            held.physical = meta(&held.body, "Is")
                .unwrap_or_else(|| format!("{}-{logical}-{seq}", self.name.get(..7).unwrap_or_default()));
        }
        if let Some(body) = next.body.clone().filter(|_| next.status == "UPDATE_COMPLETE") {
            (held.body, held.drift) = (body, None);
        }
        let reason = if next.reason == "replaced" { "" } else { next.reason.as_str() };
        self.event(seq, Some(logical), next.status, reason);
        if next.status == "DELETE_COMPLETE" {
            self.held.retain(|(name, _)| name != logical);
        }
        effect
    }

    fn xml(&self) -> String {
        let tags = self.tags.iter().map(|(key, value)| tag("Key", key) + &*tag("Value", value));
        let tags = members("Tags", tags.collect::<Vec<_>>());
        let outputs = self.outputs();
        let reason = self.events.iter().rev().find(|event| event.physical == self.id).map(|event| event.reason.clone());
        tag("StackName", &self.name)
            + &*tag("StackId", &self.id)
            + &*tag("ChangeSetId", &self.set)
            + &*tag("StackStatus", &self.status)
            + &*tag("StackStatusReason", &reason.unwrap_or_default())
            + &*tags
            + &*outputs
            + "<CreationTime>2026-01-01T00:00:00Z</CreationTime>"
    }

    fn outputs(&self) -> String {
        let all = self.template["Outputs"].as_object().cloned().unwrap_or_default();
        let xml = all.iter().map(|(name, output)| {
            let value = resolved(&output["Value"], &self.parameters);
            let text = match value.get("Ref").and_then(Value::as_str) {
                Some(logical) => self
                    .held
                    .iter()
                    .find(|(known, _)| known == logical)
                    .map_or_else(String::new, |(_, held)| held.physical.clone()),
                None => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            };
            tag("OutputKey", name) + &*tag("OutputValue", &text)
        });
        if self.status.ends_with("_COMPLETE") { members("Outputs", xml.collect::<Vec<_>>()) } else { String::new() }
    }
}

impl Event {
    fn xml(&self, stack: &str, name: &str) -> String {
        tag("StackId", stack)
            + &*tag("StackName", name)
            + &*tag("EventId", &format!("event-{}", self.id))
            + &*tag("LogicalResourceId", &self.logical)
            + &*tag("PhysicalResourceId", &self.physical)
            + &*tag("ResourceType", &self.kind)
            + &*tag("ResourceStatus", &self.status)
            + &*tag("ResourceStatusReason", &self.reason)
            + &*tag("ClientRequestToken", &self.token)
            + "<Timestamp>2026-01-01T00:00:00Z</Timestamp>"
    }
}

fn drift_xml(stack: &str, logical: &str, held: &Held) -> String {
    let (status, differences) = match &held.drift {
        None => ("IN_SYNC", String::new()),
        Some(Value::Null) => ("DELETED", String::new()),
        Some(all) => {
            let all = all.as_object().cloned().unwrap_or_default();
            let xml = all.iter().map(|(path, pair)| {
                tag("PropertyPath", path)
                    + &*tag("ExpectedValue", pair[0].as_str().unwrap_or_default())
                    + &*tag("ActualValue", pair[1].as_str().unwrap_or_default())
                    + &*tag("DifferenceType", "NOT_EQUAL")
            });
            ("MODIFIED", members("PropertyDifferences", xml.collect::<Vec<_>>()))
        }
    };
    tag("StackId", stack)
        + &*tag("LogicalResourceId", logical)
        + &*tag("PhysicalResourceId", &held.physical)
        + &*tag("ResourceType", &held.kind)
        + &*tag("StackResourceDriftStatus", status)
        + &*differences
        + "<Timestamp>2026-01-01T00:00:00Z</Timestamp>"
}

fn can_change(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_COMPLETE")
}

fn check_parameters(
    template: &Value,
    given: &[(String, String)],
) -> Result<BTreeMap<String, String>, (String, String)> {
    let declared = template["Parameters"].as_object().cloned().unwrap_or_default();
    let mut values = BTreeMap::new();
    for (name, value) in given {
        let Some(parameter) = declared.get(name) else {
            return refused("ValidationError", format!("Parameters: [{name}] do not exist in the template"));
        };
        if let Some(allowed) = parameter["AllowedValues"].as_array()
            && !allowed.iter().any(|one| one == value)
        {
            return refused("ValidationError", format!("Parameter '{name}' must be one of AllowedValues"));
        }
        values.insert(name.clone(), value.clone());
    }
    for (name, parameter) in &declared {
        match (values.contains_key(name), parameter["Default"].as_str()) {
            (true, _) => {}
            (false, Some(default)) => {
                values.insert(name.clone(), default.to_owned());
            }
            (false, None) => return refused("ValidationError", format!("Parameters: [{name}] must have values")),
        }
    }
    Ok(values)
}

/// The template's resources with the parameters in them.
fn effective(template: &Value, parameters: &BTreeMap<String, String>) -> Resources {
    resolved(&template["Resources"], parameters).as_object().cloned().unwrap_or_default()
}

fn resolved(value: &Value, parameters: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Object(map) => match map.get("Ref").and_then(Value::as_str).and_then(|name| parameters.get(name)) {
            Some(text) => Value::from(text.as_str()),
            None => Value::Object(map.iter().map(|(key, value)| (key.clone(), resolved(value, parameters))).collect()),
        },
        Value::Array(items) => items.iter().map(|item| resolved(item, parameters)).collect(),
        other => other.clone(),
    }
}

fn meta(body: &Value, word: &str) -> Option<String> {
    body["Metadata"][word].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn stays(body: &Value) -> bool {
    body["DeletionPolicy"] == "Retain"
}

fn differences(old: &[(String, Held)], new: &Resources) -> Vec<(String, &'static str, String, bool, bool)> {
    let kind = |body: &Value| body["Type"].as_str().unwrap_or_default().to_owned();
    let mut changes = Vec::new();
    for (name, body) in new {
        match old.iter().find(|(known, _)| known == name) {
            None => changes.push((name.clone(), "Add", kind(body), false, false)),
            Some((_, held)) if held.body != *body => {
                changes.push((name.clone(), "Modify", kind(body), meta(body, "Replaces").is_some(), false));
            }
            Some(_) => {}
        }
    }
    for (name, held) in old.iter().filter(|(name, _)| !new.contains_key(name)) {
        changes.push((name.clone(), "Remove", held.kind.clone(), false, stays(&held.body)));
    }
    changes
}

fn of_stack(status: &'static str, reason: &str) -> Next {
    Next { logical: None, status, reason: reason.to_owned(), body: None }
}

fn of(name: &str, status: &'static str, reason: &str, body: Option<&Value>) -> Next {
    Next { logical: Some(name.to_owned()), status, reason: reason.to_owned(), body: body.cloned() }
}

fn creation(wished: &Resources) -> VecDeque<Next> {
    let mut script = VecDeque::from([of_stack("CREATE_IN_PROGRESS", "User Initiated")]);
    let mut made: Vec<&String> = Vec::new();
    for (name, body) in wished {
        script.push_back(of(name, "CREATE_IN_PROGRESS", "", Some(body)));
        if meta(body, "Hangs").is_some() {
            return script;
        }
        if let Some(reason) = meta(body, "Fails") {
            // What was begun beside it is given up, and told first.
            for (other, body) in wished.iter().skip_while(|(other, _)| *other != name).skip(1) {
                script.push_back(of(other, "CREATE_IN_PROGRESS", "", Some(body)));
                script.push_back(of(other, "CREATE_FAILED", "Resource creation cancelled", None));
            }
            script.push_back(of(name, "CREATE_FAILED", &handler(&reason), None));
            let all = format!("The following resource(s) failed to create: [{name}]. Rollback requested by user.");
            script.push_back(of_stack("ROLLBACK_IN_PROGRESS", &all));
            let stuck = wished.values().find_map(|body| meta(body, "FailsRollback"));
            for other in wished.keys().rev() {
                if let Some(reason) = stuck.as_ref().filter(|_| made.contains(&other)) {
                    script.push_back(of(other, "DELETE_FAILED", reason, None));
                } else {
                    script.push_back(of(other, "DELETE_COMPLETE", "", wished.get(other)));
                }
            }
            script.push_back(of_stack(if stuck.is_some() { "ROLLBACK_FAILED" } else { "ROLLBACK_COMPLETE" }, ""));
            return script;
        }
        script.push_back(of(name, "CREATE_COMPLETE", "", None));
        made.push(name);
    }
    script.push_back(of_stack("CREATE_COMPLETE", ""));
    script
}

fn update(old: &[(String, Held)], wished: &Resources) -> VecDeque<Next> {
    let mut script = VecDeque::from([of_stack("UPDATE_IN_PROGRESS", "User Initiated")]);
    let mut undo: Vec<Next> = Vec::new();
    for (name, action, _, replaces, _) in differences(old, wished) {
        let Some(body) = wished.get(&name) else { continue };
        let (begin, end, broken) = match action {
            "Add" => ("CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED"),
            _ => ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_FAILED"),
        };
        script.push_back(of(&name, begin, "", Some(body)));
        if meta(body, "Hangs").is_some() {
            return script;
        }
        if let Some(reason) = meta(body, "Fails") {
            script.push_back(of(&name, broken, &handler(&reason), None));
            let all = format!("The following resource(s) failed to update: [{name}].");
            script.push_back(of_stack("UPDATE_ROLLBACK_IN_PROGRESS", &all));
            if let Some(reason) = meta(body, "FailsRollback") {
                script.push_back(of(&name, "UPDATE_FAILED", &reason, None));
                script.push_back(of_stack("UPDATE_ROLLBACK_FAILED", &reason));
                return script;
            }
            script.extend(undo);
            if action == "Add" {
                script.push_back(of(&name, "DELETE_COMPLETE", "", None));
            }
            script.push_back(of_stack("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", ""));
            script.push_back(of_stack("UPDATE_ROLLBACK_COMPLETE", ""));
            return script;
        }
        script.push_back(of(&name, end, if replaces { "replaced" } else { "" }, Some(body)));
        match old.iter().find(|(known, _)| *known == name) {
            Some((_, before)) => undo.push(of(&name, "UPDATE_COMPLETE", "", Some(&before.body))),
            None => undo.push(of(&name, "DELETE_COMPLETE", "", None)),
        }
    }
    script.push_back(of_stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""));
    for (name, held) in old.iter().filter(|(name, _)| !wished.contains_key(name)) {
        script.push_back(if stays(&held.body) {
            of(name, "DELETE_SKIPPED", "", None)
        } else {
            of(name, "DELETE_COMPLETE", "", None)
        });
    }
    script.push_back(of_stack("UPDATE_COMPLETE", ""));
    script
}

fn removal(held: &[(String, Held)]) -> VecDeque<Next> {
    let mut script = VecDeque::from([of_stack("DELETE_IN_PROGRESS", "User Initiated")]);
    let mut failed = Vec::new();
    for (name, held) in held.iter().rev() {
        if stays(&held.body) {
            script.push_back(of(name, "DELETE_SKIPPED", "", None));
            continue;
        }
        script.push_back(of(name, "DELETE_IN_PROGRESS", "", None));
        if let Some(reason) = meta(&held.body, "FailsDelete") {
            failed.push(name.as_str());
            script.push_back(of(name, "DELETE_FAILED", &handler(&reason), None));
        } else {
            script.push_back(of(name, "DELETE_COMPLETE", "", None));
        }
    }
    script.push_back(if failed.is_empty() {
        of_stack("DELETE_COMPLETE", "")
    } else {
        of_stack("DELETE_FAILED", &format!("The following resource(s) failed to delete: [{}].", failed.join(", ")))
    });
    script
}

/// As CloudFormation wraps what a resource's handler says.
fn handler(reason: &str) -> String {
    format!(
        "Resource handler returned message: \"{reason} (Service: X, Status Code: 400, Request ID: 1)\" (RequestToken: 0-1, \
         HandlerErrorCode: GeneralServiceException)"
    )
}

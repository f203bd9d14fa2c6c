//! The fields of a form, ready to be rendered: no schema knowledge is needed to show them.

/// One field with its value and its errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// JSON pointer of the value inside the inputs: `/size`.
    pub pointer: String,
    /// Name of the form control: `inputs` and the pointer, `inputs/size`.
    pub name: String,
    /// What people read above the control.
    pub label: String,
    /// A line of help below the control.
    pub help: Option<String>,
    /// Whether a value must be given.
    pub required: bool,
    /// Shown, not changed.
    pub read_only: bool,
    /// Never shown again once stored.
    pub secret: bool,
    /// The control and its value.
    pub control: Control,
    /// What is wrong with the value, in words.
    pub errors: Vec<String>,
}

/// A control and its value as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// One line of text; a password field when the field is secret.
    Text {
        /// The value.
        value: String,
        /// Regular expression that the whole value must match.
        pattern: Option<String>,
        /// Fewest characters.
        min_length: Option<u64>,
        /// Most characters.
        max_length: Option<u64>,
        /// An example.
        placeholder: Option<String>,
    },
    /// Several lines of text.
    LongText {
        /// The value.
        value: String,
    },
    /// A number.
    Number {
        /// The value as typed.
        value: String,
        /// Smallest.
        min: Option<String>,
        /// Largest.
        max: Option<String>,
        /// Step; `any` for numbers that need not be whole.
        step: Option<String>,
        /// Shown behind the number: `GiB`.
        unit: Option<String>,
    },
    /// Yes or no.
    Switch {
        /// On or off.
        checked: bool,
    },
    /// One of many, folded.
    Select {
        /// The choices.
        choices: Vec<Choice>,
    },
    /// One of a few, all visible.
    Radios {
        /// The choices.
        choices: Vec<Choice>,
    },
    /// Several of a few.
    Checks {
        /// The choices.
        choices: Vec<Choice>,
    },
    /// A list of values; buttons `_add` and `_remove` work without JavaScript.
    List {
        /// The items.
        items: Vec<Field>,
        /// Whether one more is allowed.
        can_add: bool,
        /// Whether one fewer is allowed.
        can_remove: bool,
    },
    /// An object: fields under one heading.
    Group {
        /// The fields.
        fields: Vec<Field>,
    },
    /// Anything else, as JSON text.
    Json {
        /// The text.
        value: String,
    },
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The value that is posted.
    pub value: String,
    /// What people read.
    pub label: String,
    /// A line below the label.
    pub help: Option<String>,
    /// Whether it is chosen.
    pub selected: bool,
}

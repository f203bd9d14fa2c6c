//! Targets that are runner hosts: what an admin fills in.

use crate::providers::machine;
use crate::providers::target::{Kind, TargetField, TargetForm};

pub static FORM: TargetForm = TargetForm {
    about: "A runner host: a Linux machine reached over SSH, on which scripts of templates run and may leave programs running.",
    fields: &[
        TargetField::new("host", "Host", Kind::Line)
            .help("Name or address as the worker reaches it.")
            .like("box-1.internal.example.com")
            .required()
            .binds(),
        TargetField::new("port", "Port", Kind::Number { min: 1, max: 65_535 })
            .help("22 when left empty.")
            .like("22")
            .binds(),
        TargetField::new("user", "User", Kind::Line)
            .help("An account of its own, without more rights than environments need.")
            .like("paddock")
            .required()
            .binds(),
        TargetField::new("host_key", "Host key", Kind::Line)
            .help("The host's public key, from a place that you trust: /etc/ssh/ssh_host_ed25519_key.pub on the host.")
            .like("ssh-ed25519 AAAA…")
            .required()
            .binds(),
        TargetField::new("private_key", "Private key", Kind::Text)
            .help("Without a passphrase; its public half stands in the user's authorized_keys. It is encrypted and never shown again.")
            .like("-----BEGIN OPENSSH PRIVATE KEY-----")
            .required()
            .secret(),
        TargetField::new("folder", "Folder", Kind::Line)
            .help("Where environments live on the host: a whole path, or one below the user's home; .paddock when left empty.")
            .like("/srv/paddock"),
        TargetField::new("connect_host", "Host for people", Kind::Line)
            .help("What links of workspaces name, where people reach the host by another name. Scripts get it as PADDOCK_TARGET_CONNECT_HOST.")
            .like("box-1.example.com"),
        TargetField::new("listen", "Address that workspaces listen on", Kind::Line)
            .help("127.0.0.1 when left empty: only from the host itself, or through a proxy there. Scripts get it as PADDOCK_TARGET_LISTEN.")
            .like("127.0.0.1"),
        machine::ENVIRONMENT,
    ],
    sets_credential: false,
};

//! The calls between the functions and their peers.

use crate::support::fault_proxy::Fault;

/// The peer that is called, and the caller where it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Aws,
    Slack,
    /// AWS, called by a rule function.
    AwsByRule,
    /// AWS Config, called by a rule function.
    Config,
}

/// The text by which a request of the resource is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Resource,
    Finding,
    Channel,
}

/// One call between a function and its peer.
#[derive(Debug, Clone, Copy)]
pub struct Boundary {
    pub what: &'static str,
    pub peer: Peer,
    pub operation: &'static str,
    pub names: Names,
    pub is_bucket: bool,
    /// The number of earlier calls of the same kind in the finding's life.
    pub skip: usize,
}

pub const fn boundary(
    what: &'static str,
    peer: Peer,
    operation: &'static str,
    names: Names,
) -> Boundary {
    Boundary {
        what,
        peer,
        operation,
        names,
        is_bucket: false,
        skip: 0,
    }
}

pub const fn bucket(what: &'static str, operation: &'static str) -> Boundary {
    Boundary {
        what,
        peer: Peer::Aws,
        operation,
        names: Names::Resource,
        is_bucket: true,
        skip: 0,
    }
}

pub const fn later(boundary: Boundary, skip: usize) -> Boundary {
    Boundary { skip, ..boundary }
}

pub const READ: Boundary = boundary(
    "read a finding",
    Peer::Aws,
    "dynamodb:GetItem",
    Names::Finding,
);
pub const WRITE: Boundary = boundary(
    "write a finding",
    Peer::Aws,
    "dynamodb:UpdateItem",
    Names::Finding,
);
pub const REPORT: Boundary = boundary(
    "remediator → events queue",
    Peer::Aws,
    "sqs:SendMessage/defendable-events",
    Names::Resource,
);
pub const UPDATE: Boundary = boundary(
    "slack → its message",
    Peer::Slack,
    "slack:chat.update",
    Names::Finding,
);

pub const POST: Boundary = boundary(
    "notifier → Slack",
    Peer::Slack,
    "slack:chat.postMessage",
    Names::Finding,
);
pub const ASK: Boundary = boundary(
    "slack → fix queue",
    Peer::Aws,
    "sqs:SendMessage/defendable-fix",
    Names::Resource,
);
pub const DISPATCH: Boundary = boundary(
    "coordinator → remediator",
    Peer::Aws,
    "sqs:SendMessage/defendable-ec2",
    Names::Resource,
);
pub const REVOKE: Boundary = boundary(
    "remediator → EC2",
    Peer::Aws,
    "ec2:RevokeSecurityGroupIngress",
    Names::Resource,
);

pub const PUT_ACL: Boundary = bucket("remediator → S3: ACL", "s3:PUT acl");
pub const PUT_POLICY: Boundary = bucket("remediator → S3: policy", "s3:PUT policy");
/// The policy has only the statement that breaks the rule.
pub const DELETE_POLICY: Boundary = bucket("remediator → S3: whole policy", "s3:DELETE policy");

/// The notifier looks for a post whose answer was lost.
pub const LOOK_BACK: Boundary = boundary(
    "notifier: look for its post",
    Peer::Slack,
    "slack:conversations.history",
    Names::Channel,
);

/// The notifier looks for a reply whose answer was lost.
pub const LOOK_FOR_REPLY: Boundary = boundary(
    "notifier: look for its reply",
    Peer::Slack,
    "slack:conversations.replies",
    Names::Channel,
);

/// The configuration item of the group is too large for the rule's event.
pub const HISTORY: Boundary = boundary(
    "rule → AWS Config: history",
    Peer::Config,
    "config:GetResourceConfigHistory",
    Names::Resource,
);

pub const BOUNDARIES: &[Boundary] = &[
    boundary(
        "rule → remediation queue",
        Peer::AwsByRule,
        "sqs:SendMessageBatch",
        Names::Resource,
    ),
    boundary(
        "rule → AWS Config",
        Peer::Config,
        "config:PutEvaluations",
        Names::Resource,
    ),
    HISTORY,
    boundary(
        "preview: group",
        Peer::Aws,
        "ec2:DescribeSecurityGroups",
        Names::Resource,
    ),
    boundary(
        "preview: rules",
        Peer::Aws,
        "ec2:DescribeSecurityGroupRules",
        Names::Resource,
    ),
    READ,
    later(READ, 1),
    WRITE,
    later(WRITE, 1),
    later(WRITE, 2),
    later(WRITE, 4),
    POST,
    later(POST, 1),
    UPDATE,
    later(UPDATE, 1),
    ASK,
    DISPATCH,
    later(
        boundary(
            "plan: rules",
            Peer::Aws,
            "ec2:DescribeSecurityGroupRules",
            Names::Resource,
        ),
        1,
    ),
    REVOKE,
    REPORT,
    later(REPORT, 1),
    bucket("preview: tags", "s3:GET tagging"),
    bucket("preview: ACL", "s3:GET acl"),
    bucket("preview: policy", "s3:GET policy"),
    bucket("preview: block", "s3:GET publicAccessBlock"),
    bucket("preview: policy status", "s3:GET policyStatus"),
    bucket(
        "coordinator → bucket remediator",
        "sqs:SendMessage/defendable-s3",
    ),
    PUT_ACL,
    PUT_POLICY,
    DELETE_POLICY,
    LOOK_BACK,
    LOOK_FOR_REPLY,
];

/// Later calls of the same kinds, only in `scripts/soak`.
pub const AT_LENGTH: &[Boundary] = &[
    later(READ, 2),
    later(READ, 3),
    later(WRITE, 3),
    later(WRITE, 5),
    later(WRITE, 6),
    later(WRITE, 7),
    later(WRITE, 8),
    later(
        boundary(
            "preview: group",
            Peer::Aws,
            "ec2:DescribeSecurityGroups",
            Names::Resource,
        ),
        1,
    ),
];

/// The AWS SDK tries three times. A fault that makes the SDK give up at once occurs once, another one as often
/// as the SDK tries.
pub fn times(boundary: Boundary, fault: Fault) -> usize {
    match fault {
        Fault::AnswerLost | Fault::Garbled | Fault::Denied | Fault::Hangs => 1,
        _ if boundary.peer == Peer::Slack => 1,
        _ => 3,
    }
}

/// Whether the promise of one message holds: a channel whose history may not be read can get a message twice.
pub fn is_promised(boundary: &Boundary, fault: Fault) -> bool {
    let looks = [LOOK_BACK, LOOK_FOR_REPLY]
        .iter()
        .any(|look| look.operation == boundary.operation);
    !looks || fault != Fault::Denied
}

/// Whether `scripts/test` has this cell. For the AWS SDK the ways to say "slower" are alike; so are a group
/// and a bucket where nothing was done; a call that only reads cannot lose work.
pub fn is_telling(boundary: &Boundary, fault: Fault) -> bool {
    let reads = ["preview", "plan", "read"]
        .iter()
        .any(|word| boundary.what.starts_with(word));
    match fault {
        Fault::TooManyWait
        | Fault::TooMany
        | Fault::UnavailableWait
        | Fault::Unavailable
        | Fault::ThrottledWait => boundary.operation == POST.operation,
        Fault::Throttled | Fault::Hangs | Fault::Garbled => {
            !reads && !boundary.is_bucket && boundary.skip <= 1
        }
        Fault::AnswerLost => !reads,
        Fault::Refused | Fault::Denied => true,
        Fault::Says(_) => false,
    }
}

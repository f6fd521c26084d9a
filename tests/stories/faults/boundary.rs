//! The calls between the boxes of the flow picture.

use crate::support::fault_proxy::Fault;

/// Whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Aws,
    Slack,
    /// AWS, called by a rule's function.
    AwsByRule,
    /// AWS Config, called by a rule's function.
    Config,
}

/// What the request of the call has in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Resource,
    Finding,
    Channel,
}

/// A call between two boxes of the flow picture.
#[derive(Debug, Clone, Copy)]
pub struct Boundary {
    pub what: &'static str,
    pub peer: Peer,
    pub operation: &'static str,
    pub names: Names,
    pub is_bucket: bool,
    /// How many such calls come before it in a finding's life.
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
/// Of a policy that has nothing but what breaks the rule.
pub const DELETE_POLICY: Boundary = bucket("remediator → S3: whole policy", "s3:DELETE policy");

/// After a post whose answer was lost.
pub const LOOK_BACK: Boundary = boundary(
    "notifier: look for its post",
    Peer::Slack,
    "slack:conversations.history",
    Names::Channel,
);

/// After a reply whose answer was lost.
pub const LOOK_FOR_REPLY: Boundary = boundary(
    "notifier: look for its reply",
    Peer::Slack,
    "slack:conversations.replies",
    Names::Channel,
);

/// Of a group whose configuration item is too large for the rule's event.
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

/// Later calls of the same kinds: `scripts/soak` has these too.
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

/// The SDK tries three times: what gives up at once goes wrong once, the rest as often as it takes.
pub fn times(boundary: Boundary, fault: Fault) -> usize {
    match fault {
        Fault::AnswerLost | Fault::Garbled | Fault::Denied | Fault::Hangs => 1,
        _ if boundary.peer == Peer::Slack => 1,
        _ => 3,
    }
}

/// Where we may not read a channel, what was posted there may come twice.
pub fn is_promised(boundary: &Boundary, fault: Fault) -> bool {
    let looks = [LOOK_BACK, LOOK_FOR_REPLY]
        .iter()
        .any(|look| look.operation == boundary.operation);
    !looks || fault != Fault::Denied
}

/// Whether `scripts/test` has this cell too. To the AWS SDK the ways to say "slower" are alike, and so are
/// a group and a bucket where nothing was done; what only reads does nothing that could get lost.
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

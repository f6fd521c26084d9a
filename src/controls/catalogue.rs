//! The catalogue of controls: one entry for each, in the order in which findings list them.

/// Gives the entries to another macro, which makes names or definitions of them. An entry has the control with its
/// name, the folder of its definition, and its kinds of violation, each with its name and remediation. Names are in
/// finding ids, plan digests, tables, messages and queues: they never change.
macro_rules! catalogue {
    ($with:ident) => {
        $with! {
            /// A security group opens a prohibited port to everybody.
            IngressProhibitedPorts = "ingress-prohibited-ports" in ingress_prohibited_ports {
                /// A security group opens a prohibited port to everybody.
                Ec2SgProhibitedPort = "EC2_SG_PROHIBITED_PORT" by ProhibitedPort,
            }
            /// A bucket is public, by its ACL or its policy.
            BucketPublic = "bucket-public" in bucket_public {
                /// A bucket's ACL grants something to everybody.
                S3BucketPublicAcl = "S3_BUCKET_PUBLIC_ACL" by PublicAcl,
                /// A bucket's policy allows everybody.
                S3BucketPublicPolicy = "S3_BUCKET_PUBLIC_POLICY" by PublicPolicy,
            }
        }
    };
}

pub(super) use catalogue;

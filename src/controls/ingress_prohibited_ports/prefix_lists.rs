//! The prefix lists that security groups let in, and what AWS says is in them: AWS Config's items of groups
//! have nothing but their ids, and a change of a list changes no group.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use ipnet::IpNet;

use crate::aws::answer::Answer;
use crate::aws::{AwsError, AwsErrorKind, prefix_list};

/// The IAM actions of reading prefix lists.
pub const ACTIONS: &[&str] = &["ec2:GetManagedPrefixListEntries"];

/// Prefix lists by their ids, `pl-0123456789abcdef0`, with their entries as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrefixLists(BTreeMap<String, Answer<BTreeSet<IpNet>>>);

impl PrefixLists {
    /// Asks AWS for the entries. A list that may not be read, or is not there, has none that are known; an
    /// error may pass.
    pub async fn read(ec2: &aws_sdk_ec2::Client, ids: BTreeSet<String>) -> Result<Self, AwsError> {
        let lists = ids.into_iter().map(|id| async move {
            match prefix_list::entries(ec2, &id).await {
                Err(error) if error.kind == AwsErrorKind::Transient => Err(error),
                entries => {
                    if let Err(error) = &entries {
                        tracing::warn!(%error, prefix_list = id, "a prefix list cannot be read");
                    }
                    Ok((id, entries.into()))
                }
            }
        });
        Ok(Self(try_join_all(lists).await?.into_iter().collect()))
    }

    /// The entries of a list; none where they are not known.
    pub fn entries(&self, id: &str) -> BTreeSet<IpNet> {
        self.0
            .get(id)
            .and_then(Answer::given)
            .cloned()
            .unwrap_or_default()
    }

    /// Whether the entries of a list are known.
    pub fn knows(&self, id: &str) -> bool {
        self.0
            .get(id)
            .is_some_and(|answer| answer.given().is_some())
    }
}

impl<S: Into<String>> FromIterator<(S, BTreeSet<IpNet>)> for PrefixLists {
    fn from_iter<I: IntoIterator<Item = (S, BTreeSet<IpNet>)>>(lists: I) -> Self {
        Self(
            lists
                .into_iter()
                .map(|(id, entries)| (id.into(), Answer::Given(entries)))
                .collect(),
        )
    }
}

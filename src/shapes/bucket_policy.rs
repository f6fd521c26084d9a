//! Which statements of a bucket policy AWS calls public.
//!
//! S3 user guide,
//! [The meaning of "public"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status):
//! a statement that allows everybody is public unless one of its conditions limits
//! it to fixed values of certain keys. The rule (AWS Config's items) and the remediation (the live
//! policy) both ask here.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::deny;
use super::statement::{self, Statement};

/// A bucket policy over its own text, so that statements can be taken out and everything
/// beside them stays byte for byte.
#[derive(Debug)]
pub struct BucketPolicy<'a> {
    text: &'a str,
    /// The text of the `Statement` element: a list, or one statement.
    element: &'a str,
    statements: Vec<&'a str>,
}

/// Why a statement cannot be put back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// Another statement has its `Sid`, which must be unique in a policy.
    #[error("it has another statement {0:?} now")]
    SidTaken(String),
    /// There are fewer statements than stood before it.
    #[error("it has fewer statements than it had")]
    Shorter,
    /// The statement or the policy is no JSON of ours.
    #[error("it cannot be read")]
    Unreadable,
}

/// A statement that lets everybody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicStatement {
    /// Its place in the policy, from 0.
    pub index: usize,
    /// Its `Sid`, where it has one.
    pub sid: Option<String>,
    /// Its JSON, as the policy spells it.
    pub text: String,
    /// The statements that deny a part of it to strangers, by `Sid` or number: taking it out takes it
    /// away from those who are meant, too.
    pub limited_by: Vec<String>,
}

impl PublicStatement {
    /// `"Read"`, or `number 2`.
    pub fn name(&self) -> String {
        statement::name(self.sid.as_deref(), self.index)
    }
}

/// What AWS calls a policy, as far as its documentation says so.
#[derive(Debug, PartialEq, Eq)]
pub enum PolicyStatus {
    /// No statement lets everybody in.
    Private,
    /// These are public.
    Public(Vec<PublicStatement>),
    /// These are for everybody who names a certain KMS key, which callers choose. AWS's page has named the key among
    /// those that keep a policy private, and newer texts leave it out: only AWS's own answer tells.
    ForAwsToSay(Vec<PublicStatement>),
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "Statement", borrow)]
    statement: &'a RawValue,
}

#[derive(Deserialize)]
struct Sid {
    #[serde(rename = "Sid")]
    sid: Option<String>,
}

fn without_sid(statement: &str) -> serde_json::Result<Map<String, Value>> {
    let mut fields: Map<String, Value> = serde_json::from_str(statement)?;
    fields.remove("Sid");
    Ok(fields)
}

impl<'a> BucketPolicy<'a> {
    /// Reads a policy document: `{"Version": "2012-10-17", "Statement": [{…}]}`.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        let element = serde_json::from_str::<Document>(text)?.statement.get();
        let statements = if element.starts_with('[') {
            serde_json::from_str::<Vec<&RawValue>>(element)?
                .into_iter()
                .map(RawValue::get)
                .collect()
        } else {
            vec![element]
        };
        Ok(Self {
            text,
            element,
            statements,
        })
    }

    /// Whether the policy is public, and by which statements.
    pub fn status(&self) -> serde_json::Result<PolicyStatus> {
        let public = self.public_statements()?;
        if !public.is_empty() {
            return Ok(PolicyStatus::Public(public));
        }
        let by_callers_choice = self.limited_by_callers_choice()?;
        Ok(match by_callers_choice.is_empty() {
            true => PolicyStatus::Private,
            false => PolicyStatus::ForAwsToSay(by_callers_choice),
        })
    }

    /// The statements that AWS calls public, in their order. One that a Deny leaves to one's own alone is
    /// none.
    pub fn public_statements(&self) -> serde_json::Result<Vec<PublicStatement>> {
        self.statements_for_everybody(Statement::is_public)
    }

    /// The statements for everybody that only a KMS key limits, which callers choose.
    pub fn limited_by_callers_choice(&self) -> serde_json::Result<Vec<PublicStatement>> {
        self.statements_for_everybody(Statement::is_for_callers_choice)
    }

    fn statements_for_everybody(
        &self,
        is_open: fn(&Statement) -> bool,
    ) -> serde_json::Result<Vec<PublicStatement>> {
        let statements: Vec<Statement> = self
            .statements
            .iter()
            .map(|text| serde_json::from_str(text))
            .collect::<Result<_, _>>()?;
        if !statements.iter().any(is_open) {
            return Ok(Vec::new());
        }
        let limiting: Vec<(usize, &Statement)> = statements
            .iter()
            .enumerate()
            .filter(|(_, statement)| deny::limits(statement))
            .collect();
        let named_by = |allow: &Statement| {
            let about_it = limiting
                .iter()
                .filter(|(_, deny)| deny::touches(deny, allow));
            about_it.map(|(index, deny)| deny.name(*index)).collect()
        };
        let public = statements
            .iter()
            .enumerate()
            .filter(|(_, statement)| is_open(statement) && !deny::cover(&limiting, statement))
            .map(|(index, statement)| PublicStatement {
                index,
                sid: statement.sid.clone(),
                text: self.statements[index].to_owned(),
                limited_by: named_by(statement),
            });
        Ok(public.collect())
    }

    /// Whether one of the statements for everybody lets everybody do all that `statement` does, or is that statement but
    /// for its `Sid`.
    pub fn lets_everybody_do(&self, statement: &str) -> serde_json::Result<bool> {
        let (wanted, inner) = (without_sid(statement)?, serde_json::from_str(statement)?);
        let public = self.public_statements()?;
        for public in public.into_iter().chain(self.limited_by_callers_choice()?) {
            let outer = serde_json::from_str(&public.text)?;
            let is_wider = public.limited_by.is_empty() && deny::is_within(&outer, &inner);
            if is_wider || without_sid(&public.text)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The policy's text without some statements; `None` when none is left.
    pub fn without(&self, indices: &[usize]) -> Option<String> {
        let kept = self
            .statements
            .iter()
            .enumerate()
            .filter(|(index, _)| !indices.contains(index));
        let kept: Vec<&str> = kept.map(|(_, text)| *text).collect();
        (!kept.is_empty()).then(|| self.with_statements(&kept))
    }

    /// The policy's text with a statement put in at a place; `None` where that very statement is
    /// in it.
    pub fn with(&self, index: usize, statement: &str) -> Result<Option<String>, NoPlace> {
        if self.statements.contains(&statement) {
            return Ok(None);
        }
        let sid = |text: &str| -> Result<Option<String>, NoPlace> {
            let statement: Sid = serde_json::from_str(text).map_err(|_| NoPlace::Unreadable)?;
            Ok(statement.sid)
        };
        if let Some(own) = sid(statement)? {
            for other in &self.statements {
                if sid(other)?.as_ref() == Some(&own) {
                    return Err(NoPlace::SidTaken(own));
                }
            }
        }
        let (Some(before), Some(after)) =
            (self.statements.get(..index), self.statements.get(index..))
        else {
            return Err(NoPlace::Shorter);
        };
        Ok(Some(
            self.with_statements(&[before, &[statement], after].concat()),
        ))
    }

    fn with_statements(&self, statements: &[&str]) -> String {
        // `element` is a slice of `text`: serde_json borrowed it.
        let start = self.element.as_ptr() as usize - self.text.as_ptr() as usize;
        let (before, after) = (
            &self.text[..start],
            &self.text[start + self.element.len()..],
        );
        format!("{before}[{}]{after}", statements.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn public(statement: Value) -> bool {
        let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        !BucketPolicy::parse(&text)
            .unwrap()
            .public_statements()
            .unwrap()
            .is_empty()
    }

    fn allow(principal: Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*"})
    }

    fn with_condition(condition: Value) -> Value {
        let mut statement = allow(json!("*"));
        statement["Condition"] = condition;
        statement
    }

    #[test]
    fn everybody_has_several_spellings() {
        for principal in [
            json!("*"),
            json!({"AWS": "*"}),
            json!({"AWS": ["arn:aws:iam::1:root", "*"]}),
            json!({"Service": "*"}),
            json!({"Federated": ["*"]}),
            json!({"Federated": "graph.facebook.com"}),
        ] {
            assert!(public(allow(principal.clone())), "{principal}");
        }
        assert!(public(
            json!({"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}})
        ));
        for principal in [
            json!({"AWS": "arn:aws:iam::123456789012:root"}),
            json!({"Service": "config.amazonaws.com"}),
            json!({"Federated": "arn:aws:iam::123456789012:saml-provider/own"}),
        ] {
            assert!(!public(allow(principal.clone())), "{principal}");
        }
        assert!(!public(json!({"Effect": "Deny", "Principal": "*"})));
    }

    fn names(statements: Value) -> Vec<(String, Vec<String>)> {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let public = BucketPolicy::parse(&text)
            .unwrap()
            .public_statements()
            .unwrap();
        public
            .into_iter()
            .map(|public| (public.sid.unwrap(), public.limited_by))
            .collect()
    }

    #[test]
    fn an_allow_that_a_deny_leaves_to_one_s_own_is_not_public() {
        let all = |sid: &str, effect: &str, action: Value, resource: Value| json!({"Sid": sid, "Effect": effect, "Principal": "*", "Action": action, "Resource": resource});
        let objects = json!("arn:aws:s3:::b/*");
        let read = all("Read", "Allow", json!("s3:GetObject"), objects.clone());
        let only_vpc = |action: Value, resource: Value| {
            let mut deny = all("OnlyVpc", "Deny", action, resource);
            deny["Condition"] = json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}});
            deny
        };
        let none: Vec<(String, Vec<String>)> = Vec::new();
        for deny in [
            only_vpc(json!("s3:GetObject"), objects.clone()),
            only_vpc(json!("s3:*"), json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"])),
            only_vpc(json!(["s3:PutObject", "S3:getobject"]), json!("*")),
        ] {
            assert_eq!(names(json!([read, deny])), none, "{deny}");
        }
        let limited = [("Read".to_owned(), vec!["\"OnlyVpc\"".to_owned()])];
        // It covers a part only, or has an exception.
        let part = only_vpc(json!("s3:GetObject"), json!("arn:aws:s3:::b/private/*"));
        assert_eq!(names(json!([read, part])), limited);
        let mut exception = only_vpc(json!("s3:*"), json!("*"));
        exception["Condition"]["Bool"] = json!({"aws:PrincipalIsAWSService": "false"});
        assert_eq!(names(json!([read, exception])), limited);
        let unlimited = [("Read".to_owned(), Vec::new())];
        let elsewhere = only_vpc(json!("s3:PutObject"), objects.clone());
        assert_eq!(names(json!([read, elsewhere])), unlimited);
        // Callers choose the key.
        let key = json!({"s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:eu-west-1:1:key/1"});
        let mut by_key = only_vpc(json!("s3:*"), json!("*"));
        by_key["Condition"] = json!({"StringNotEquals": key});
        assert_eq!(names(json!([read, by_key])), unlimited);
        let mut of_services = only_vpc(json!("s3:*"), json!("*"));
        of_services["Principal"] = json!({"Service": "*"});
        assert_eq!(names(json!([read, of_services])), unlimited);
        let mut not_action = read.clone();
        not_action.as_object_mut().unwrap().remove("Action");
        not_action["NotAction"] = json!("s3:DeleteBucket");
        assert_eq!(
            names(json!([
                not_action,
                only_vpc(json!("s3:GetObject"), json!("*"))
            ])),
            limited
        );
        assert_eq!(
            names(json!([not_action, only_vpc(json!("*"), json!("*"))])),
            none
        );
    }

    #[test]
    fn taking_statements_out_leaves_the_rest_byte_for_byte() {
        let text = "{ \"Id\":\"x\",  \"Statement\" : [ {\"Sid\":\"a\"},\n {\"Sid\" : \"b\", \"n\": 1.50} ] , \"Version\":\"2012-10-17\"}";
        let policy = BucketPolicy::parse(text).unwrap();
        assert_eq!(
            policy.without(&[0]).unwrap(),
            "{ \"Id\":\"x\",  \"Statement\" : [{\"Sid\" : \"b\", \"n\": 1.50}] , \"Version\":\"2012-10-17\"}"
        );
        assert_eq!(policy.without(&[0, 1]), None);
        assert_eq!(
            BucketPolicy::parse(r#"{"Statement":{"Sid":"a"}}"#)
                .unwrap()
                .without(&[0]),
            None
        );
    }

    proptest! {
        #[test]
        fn without_its_public_statements_a_policy_is_not_public(kinds in prop::collection::vec(0usize..3, 0..8)) {
            let statements: Vec<Value> = kinds.iter().enumerate().map(|(number, kind)| {
                let mut statement = match kind {
                    0 => allow(json!("*")),
                    1 => allow(json!({"AWS": "arn:aws:iam::123456789012:root"})),
                    _ => with_condition(json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}})),
                };
                statement["Sid"] = json!(format!("Statement{number}"));
                statement
            }).collect();
            let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
            let policy = BucketPolicy::parse(&text).unwrap();
            let public: Vec<usize> = policy.public_statements().unwrap().iter().map(|public| public.index).collect();
            prop_assert_eq!(public.len(), kinds.iter().filter(|kind| **kind == 0).count());
            if let Some(rest) = policy.without(&public) {
                let rest = BucketPolicy::parse(&rest).unwrap();
                prop_assert!(rest.public_statements().unwrap().is_empty());
                prop_assert_eq!(rest.statements.len(), kinds.len() - public.len());
                let mut back = rest.text.to_owned();
                for statement in policy.public_statements().unwrap() {
                    let again = BucketPolicy::parse(&back).unwrap().with(statement.index, &statement.text);
                    back = again.unwrap().unwrap_or(back);
                }
                prop_assert_eq!(back, text);
            }
        }
    }

    /// AWS's page again, slowly and in other words: the requests that a statement lets in are tried
    /// one by one, and it is public if one of a stranger's is among them.
    fn lets_a_stranger_in(statement: &Value) -> bool {
        let many = |value: &Value| {
            value
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![value.clone()])
        };
        let everybody = match (&statement["Principal"], &statement["NotPrincipal"]) {
            (Value::String(all), _) => all == "*",
            (Value::Object(kinds), _) => kinds
                .values()
                .any(|names| many(names).contains(&json!("*"))),
            (_, except) => !except.is_null(),
        };
        let empty = serde_json::Map::new();
        let conditions = statement["Condition"].as_object().unwrap_or(&empty);
        statement["Effect"] == "Allow"
            && everybody
            && conditions.iter().all(|(operator, keys)| {
                keys.as_object().unwrap().iter().all(|(key, values)| {
                    let values: Vec<String> = many(values)
                        .iter()
                        .map(|value| {
                            value
                                .as_str()
                                .map_or_else(|| value.to_string(), str::to_owned)
                        })
                        .collect();
                    a_stranger_meets(operator, key, &values)
                })
            })
    }

    fn a_stranger_meets(operator: &str, key: &str, values: &[String]) -> bool {
        match operator {
            "IpAddress" if key == "aws:SourceIp" => lets_many_in(values),
            // One value that a stranger may have is enough to let one in.
            "StringEquals" | "StringLike" | "ForAnyValue:StringEquals" => {
                values.iter().any(|value| a_stranger_may_have(key, value))
            }
            // Another operator lets in callers that lack the key, or have any other value.
            _ => true,
        }
    }

    fn a_stranger_may_have(key: &str, value: &str) -> bool {
        let wildcards = value.matches(['*', '?']).count();
        let anybody_s = value.contains("${") || value == "anonymous";
        match key {
            "aws:SourceVpc" | "aws:PrincipalOrgID" | "aws:SourceArn" | "aws:SourceAccount" => {
                anybody_s || wildcards > 0
            }
            "aws:PrincipalOrgPaths" => {
                let of_one = value.starts_with("o-1/")
                    && (wildcards == 0 || wildcards == 1 && value.ends_with('*'));
                anybody_s || !of_one
            }
            "aws:userid" => anybody_s || wildcards > 0 && value != "AROA1:*",
            // Another key is the caller's to choose.
            _ => true,
        }
    }

    /// Whether more than a /8 is let in without a gap, half a /8 at a time; of IPv6, whether one of the
    /// ranges of this test is, or two neighbours are.
    fn lets_many_in(values: &[String]) -> bool {
        let mut halves = [false; 512];
        for value in values.iter().filter(|value| !value.contains(':')) {
            let (net, prefix) = value.split_once('/').unwrap();
            let mut octets = net.split('.').map(|octet| octet.parse::<usize>().unwrap());
            let first = octets.next().unwrap() * 2 + octets.next().unwrap() / 128;
            let many = 512 >> prefix.parse::<u32>().unwrap().min(10);
            halves[first..first + many].fill(true);
        }
        let has = |range: &str| values.iter().any(|value| value == range);
        halves
            .windows(3)
            .any(|three| three.iter().all(|half| *half))
            || has("::/0")
            || has("::/31")
            || has("2001:db8::/32") && has("2001:db9::/32")
    }

    fn any_condition() -> impl Strategy<Value = (String, String, Vec<String>)> {
        let operators = [
            "StringEquals",
            "StringLike",
            "ForAnyValue:StringEquals",
            "ForAllValues:StringEquals",
            "StringNotEquals",
            "StringEqualsIfExists",
            "Bool",
            "Null",
            "DateLessThan",
        ];
        let keys = [
            "aws:SourceVpc",
            "aws:PrincipalOrgID",
            "aws:PrincipalOrgPaths",
            "aws:SourceArn",
            "aws:SourceAccount",
            "aws:userid",
            "aws:Referer",
            "aws:SecureTransport",
        ];
        let values = [
            "vpc-1",
            "vpc-*",
            "o-1?",
            "o-1/r-1/*",
            "o-1/r-1/ou-1/",
            "o-1*",
            "o-?/r-1/*",
            "AROA1:*",
            "AIDA1:*",
            "anonymous",
            "123456789012",
            "${aws:PrincipalTag/x}",
            "true",
            "arn:aws:s3:::b",
        ];
        let ranges = [
            "203.0.113.0/24",
            "10.0.0.0/8",
            "11.0.0.0/8",
            "11.128.0.0/9",
            "12.0.0.0/9",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "0.0.0.0/0",
            "2.0.0.0/7",
            "2001:db8::/32",
            "2001:db9::/32",
            "::/31",
            "::/0",
        ];
        let (operators, keys) = (
            prop::sample::select(operators.to_vec()),
            prop::sample::select(keys.to_vec()),
        );
        let of_words = prop::collection::vec(prop::sample::select(values.to_vec()), 1..4);
        let of_ranges = prop::collection::vec(prop::sample::select(ranges.to_vec()), 1..4);
        let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect::<Vec<_>>();
        prop_oneof![
            (operators, keys, of_words).prop_map(move |(operator, key, values)| {
                (operator.to_owned(), key.to_owned(), owned(values))
            }),
            (
                prop::sample::select(vec!["IpAddress", "NotIpAddress"]),
                of_ranges
            )
                .prop_map(move |(operator, values)| {
                    (
                        operator.to_owned(),
                        "aws:SourceIp".to_owned(),
                        owned(values),
                    )
                }),
        ]
    }

    fn any_statement() -> impl Strategy<Value = Value> {
        let principal = prop::sample::select(vec![
            json!({"Principal": "*"}),
            json!({"Principal": {"AWS": "*"}}),
            json!({"Principal": {"AWS": ["arn:aws:iam::123456789012:root", "*"]}}),
            json!({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}),
            json!({"Principal": {"Service": "config.amazonaws.com"}}),
            json!({"Principal": {"Service": "*"}}),
            json!({"Principal": {"Federated": ["cognito-identity.amazonaws.com", "*"]}}),
            json!({"NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}}),
        ]);
        let effect = prop::sample::select(vec!["Allow", "Deny"]);
        (
            principal,
            effect,
            prop::collection::vec(any_condition(), 0..3),
        )
            .prop_map(|(mut statement, effect, conditions)| {
                statement["Effect"] = json!(effect);
                for (operator, key, values) in conditions {
                    // Numbers and booleans may stand without quotation marks.
                    let value = |text: &String| match text.parse::<u64>() {
                        Ok(number) => json!(number),
                        Err(_) if text == "true" => json!(true),
                        Err(_) => json!(text),
                    };
                    let values: Vec<Value> = values.iter().map(value).collect();
                    let values = if values.len() == 1 {
                        values[0].clone()
                    } else {
                        json!(values)
                    };
                    statement["Condition"][operator][key] = values;
                }
                statement
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_policy_is_public_when_it_lets_a_stranger_in(statement in any_statement()) {
            prop_assert_eq!(public(statement.clone()), lets_a_stranger_in(&statement), "{}", statement);
        }
    }

    #[test]
    fn whether_everybody_may_do_what_a_statement_does() {
        let statement = |sid: &str, action: &str| {
            format!(
                r#"{{"Sid":"{sid}","Effect":"Allow","Principal":"*","Action":"{action}","Resource":"arn:aws:s3:::b/*"}}"#
            )
        };
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:Get*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}}"#;
        let may = |statements: &[&str], wanted: &str| {
            let policy = format!(r#"{{"Statement":[{}]}}"#, statements.join(","));
            let policy = BucketPolicy::parse(&policy).unwrap();
            policy.lets_everybody_do(wanted).unwrap()
        };
        let (get, all) = (statement("A", "s3:GetObject"), statement("B", "s3:*"));
        assert!(may(&[&get], &get) && may(&[&all], &get));
        assert!(!may(&[&get], &all) && !may(&[], &get));
        assert!(
            may(&[&get], &statement("Other", "s3:GetObject")),
            "a Sid says nothing"
        );
        // A Deny that limits the wider one may keep everybody from just that.
        assert!(!may(&[&all, deny], &get));
        assert!(may(&[&all, deny], &statement("C", "s3:*")));
    }
}

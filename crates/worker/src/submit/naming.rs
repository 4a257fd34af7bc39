//! Names: of renders, of the objects that belong to them, and in the ARNs that Step Functions gives.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::SystemTime;

use aws_sdk_sfn::primitives::{DateTime, DateTimeFormat};

use crate::error::{Error, Result};

/// The longest name that Step Functions takes.
const MAX_NAME_CHARS: usize = 80;

/// The name of a render without a given name: the time, for people, and a random number.
pub(super) fn new_name(now: SystemTime) -> String {
    let time: String = utc(now).chars().filter(char::is_ascii_alphanumeric).collect();
    // Every hasher of this kind starts from other random bits.
    let number = RandomState::new().build_hasher().finish();
    format!("render-{}-{:08x}", time.to_ascii_lowercase(), number & 0xffff_ffff)
}

/// The given name, if it can stand in an ARN and in the keys of objects.
pub(super) fn checked_name(name: &str) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.chars().all(is_plain) {
        return Err(Error::Argument {
            argument: format!("--name {name}"),
            reason: format!("must be 1 to {MAX_NAME_CHARS} letters, digits, - and _"),
        });
    }
    Ok(name.to_owned())
}

/// A moment to the second, such as `2026-11-21T17:50:14Z`.
pub(super) fn utc(time: SystemTime) -> String {
    let whole = DateTime::from_secs(DateTime::from(time).secs());
    whole.fmt(DateTimeFormat::DateTime).expect("a clock of this age has four digits for the year")
}

/// The parts of `arn:aws:states:REGION:ACCOUNT:KIND:REST` that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arn<'a> {
    text: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads the ARN of a `kind`, which `argument` names.
    pub(super) fn parse(text: &'a str, kind: &str, argument: &str) -> Result<Self> {
        let parts: Vec<_> = text.split(':').collect();
        match parts[..] {
            ["arn", _, "states", region, account, found, name, ..]
                if found == kind && [region, account, name].iter().all(|part| !part.is_empty()) =>
            {
                Ok(Self { text, region, account })
            }
            _ => Err(Error::Argument {
                argument: argument.to_owned(),
                reason: format!(
                    "must look like arn:aws:states:us-east-1:123456789012:{kind}:…, not \"{text}\""
                ),
            }),
        }
    }

    /// The ARN that an execution of this state machine has or would have.
    pub(super) fn execution(&self, name: &str) -> String {
        // A state machine's version or alias, which would follow its name, is not in it.
        let machine: Vec<_> = self.text.split(':').take(7).collect();
        format!("{}:{name}", machine.join(":").replacen(":stateMachine:", ":execution:", 1))
    }

    /// Whether this execution is one of that state machine.
    pub(super) fn is_of(&self, machine: &str) -> bool {
        let name = self.text.rsplit(':').next().unwrap_or_default();
        Arn::parse(machine, "stateMachine", "").is_ok_and(|arn| arn.execution(name) == self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_new_name_has_the_time_and_is_no_other_s() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_747_414_999);
        let (one, other) = (new_name(now), new_name(now));
        assert!(one.starts_with("render-20251121t175014z-"), "{one}");
        assert_ne!(one, other);
        assert_eq!(checked_name(&one).unwrap(), one);
    }

    #[test]
    fn a_name_that_cannot_be_part_of_a_key_is_refused() {
        for name in ["", "a b", "a/b", "a.b", "ä", &"n".repeat(81)] {
            let error = checked_name(name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--name {name}: must be")), "{error}");
        }
    }

    #[test]
    fn an_arn_tells_its_region_and_those_of_its_executions() {
        let machine = "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:framewright-x";
        let arn = Arn::parse(machine, "stateMachine", "--state-machine").unwrap();
        assert_eq!((arn.region, arn.account), ("cn-north-1", "123456789012"));
        let execution = arn.execution("render-1");
        assert_eq!(
            execution,
            "arn:aws-cn:states:cn-north-1:123456789012:execution:framewright-x:render-1"
        );
        let of = Arn::parse(&execution, "execution", "EXECUTION_ARN").unwrap();
        let version = format!("{machine}:7");
        assert!(of.is_of(machine) && of.is_of(&version) && !of.is_of(&format!("{machine}-2")));
        for text in [
            "",
            "render-1",
            machine,
            "arn:aws:states::1:execution:a:b",
            "arn:aws:states:x::execution:a:b",
        ] {
            let error = Arn::parse(text, "execution", "EXECUTION_ARN").unwrap_err().to_string();
            assert!(error.starts_with("EXECUTION_ARN: must look like"), "{error}");
        }
    }
}

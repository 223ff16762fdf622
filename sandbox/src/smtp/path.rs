//! The arguments of MAIL and RCPT (RFC 5321 §4.1.2), never panicking.

/// A mail that is being handed over.
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) smtputf8: bool,
    pub(super) eight_bit: bool,
}

/// What followed the address of MAIL.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) size: Option<usize>,
    pub(super) body_given: bool,
    pub(super) eight_bit: bool,
    pub(super) smtputf8: bool,
}

const SYNTAX: &str = "5.5.4 Syntax error";
const ADDRESS: &str = "5.1.3 Bad address";

/// `<address>` and what follows; quoted local parts may have anything.
fn path(text: &str) -> Result<(&str, &str), &'static str> {
    let inner = text.strip_prefix('<').ok_or(SYNTAX)?;
    let mut quoted = false;
    let mut escaped = false;
    for (at, letter) in inner.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => {
                let (address, rest) = inner.split_at(at);
                return Ok((address, rest.strip_prefix('>').unwrap_or(rest)));
            }
            _ => {}
        }
    }
    Err(SYNTAX)
}

fn check(address: &str) -> Result<(), &'static str> {
    let (local, domain) = address.rsplit_once('@').ok_or(ADDRESS)?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;\"".contains(c);
    let local_fits = local.starts_with('"') || (!local.is_empty() && local.chars().all(plain));
    let domain_fits = !domain.is_empty() && domain.chars().all(|c| plain(c) && c != '@');
    if local_fits && domain_fits && address.len() <= 320 && !address.contains(char::is_control) {
        Ok(())
    } else {
        Err(ADDRESS)
    }
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

/// `FROM:<address> parameters`; the address may be empty.
pub(super) fn mail(rest: &str) -> Result<(String, Parameters), &'static str> {
    let (address, rest) = path(after(rest, "FROM:").ok_or(SYNTAX)?)?;
    if !address.is_empty() {
        check(address)?;
    }
    let mut parameters = Parameters::default();
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(SYNTAX);
    }
    for parameter in rest.split(' ').filter(|p| !p.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_uppercase().as_str() {
            "SIZE" => parameters.size = Some(value.parse().map_err(|_| SYNTAX)?),
            "BODY" => {
                parameters.body_given = true;
                match value.to_ascii_uppercase().as_str() {
                    "8BITMIME" => parameters.eight_bit = true,
                    "7BIT" => {}
                    _ => return Err(SYNTAX),
                }
            }
            "SMTPUTF8" if value.is_empty() => parameters.smtputf8 = true,
            "AUTH" => {}
            _ => return Err("5.5.4 Unknown parameter"),
        }
    }
    Ok((address.to_owned(), parameters))
}

/// `TO:<address>`.
pub(super) fn rcpt(rest: &str) -> Result<String, &'static str> {
    let (address, rest) = path(after(rest, "TO:").ok_or(SYNTAX)?)?;
    if !rest.trim().is_empty() {
        return Err("5.5.4 Unknown parameter");
    }
    check(address)?;
    Ok(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_and_rcpt_are_taken_apart() {
        let (from, parameters) = mail("from:<a@b.c> SIZE=12 BODY=8BITMIME SMTPUTF8").unwrap();
        assert_eq!(from, "a@b.c");
        let wanted = Parameters {
            size: Some(12),
            body_given: true,
            eight_bit: true,
            smtputf8: true,
        };
        assert_eq!(parameters, wanted);
        assert_eq!(mail("FROM:<>").unwrap().0, "");
        assert_eq!(rcpt("TO:<\"a>b\"@c>").unwrap(), "\"a>b\"@c");
        assert_eq!(rcpt("TO:<ä@ö>").unwrap(), "ä@ö");
    }

    #[test]
    fn bad_paths_are_errors() {
        for bad in [
            "",
            "FROM",
            "FROM: <a@b>",
            "FROM:a@b",
            "FROM:<a>",
            "FROM:<a@b> X=1",
            "FROM:<a b@c>",
            "FROM:<a@b>SIZE=1",
            "FROM:<a@b> SIZE=x",
            "FRÖM:<a@b>",
        ] {
            mail(bad).unwrap_err();
        }
        for bad in [
            "TO:<>",
            "TO:<a@b",
            "TO:<a@b> NOTIFY=NEVER",
            "TO:<@b>",
            "TO:<a@>",
        ] {
            rcpt(bad).unwrap_err();
        }
    }
}

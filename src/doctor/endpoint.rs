//! The model endpoint: reached, key taken, and which dialect it understands. It is asked about a
//! sample; nobody's mail is sent. Trouble with it is a warning: the program's own classifier works
//! without it.

use super::report::{Check, Group};
use crate::assistant::{AskError, Assistant, Trial};
use crate::config::{ModelSettings, Settings};
use crate::http::HttpError;
use crate::tls::TlsRoots;

const CHECK: &str = "model_endpoint";

/// Asks it, if there is one.
pub(super) async fn examine(settings: &Settings, group: &mut Group) {
    let Some(model) = &settings.model else {
        return;
    };
    if !model.classify && !model.word {
        let why = "it is used for nothing: model.use is empty";
        group.add(Check::skipped(CHECK, why));
        return;
    }
    let assistant = Assistant::new(model.clone(), TlsRoots::default());
    group.add(verdict(model, assistant.trial().await));
}

fn verdict(model: &ModelSettings, trial: Result<Trial, AskError>) -> Check {
    let trial = match trial {
        Ok(trial) => trial,
        Err(error) => {
            let text = format!("The model endpoint is of no use: {error}");
            return Check::warning(CHECK, text, remedy(&error));
        }
    };
    let (name, dialect) = (&trial.model, trial.dialect);
    let took = format!("{:.1} s", trial.took.as_secs_f64());
    let said = trial.opinion.intent;
    let check = if trial.took > model.timeout {
        Check::warning(
            CHECK,
            format!("{name} answers by {dialect}, but only after {took}"),
            "The first request may have loaded the model: run this again. If it stays so slow, use a \
             smaller model or raise model.timeout; until then the program's own classifier decides alone.",
        )
    } else {
        let text = format!("{name} answers by {dialect} (a sample question: {said})");
        Check::ok(CHECK, text)
    };
    check
        .took(Some(trial.took))
        .with("dialect", dialect.as_str())
        .with("model", name.as_str())
        .with("intent", said.as_str())
}

/// What to do.
fn remedy(error: &AskError) -> &'static str {
    match error {
        AskError::Status {
            code: 401 | 403, ..
        }
        | AskError::Key(_) => {
            "Give its key by model.api_key_file, or a command by model.api_key_command."
        }
        AskError::Status { code: 404, .. } => {
            "Check model.base_url (up to its version, such as /v1) and model.model: the server lists \
             its models under /models."
        }
        AskError::Status { code: 429, .. } => {
            "The server counts requests: wait, or mend the account's limits there."
        }
        AskError::Http(HttpError::Network { .. }) | AskError::Late | AskError::Busy => {
            "Check that the server runs and that this machine reaches it; a slow one wants a longer \
             model.timeout."
        }
        AskError::Unreadable(_) | AskError::Invalid(_) | AskError::Words => {
            "The model does not keep to the schema: use another one, or raise model.max_tokens for a \
             model that thinks first."
        }
        AskError::Setup(_) => "Mend model.ca_file, or install ca-certificates.",
        AskError::Status { .. } | AskError::Http(_) | AskError::LeftAlone(_) => {
            "Look into that server's log. Until then the program's own classifier decides alone."
        }
    }
}

//! `replyd train`: weights of the classifier from texts with their labels.

use std::fs;
use std::time::Instant;

use anyhow::{Context, bail};

use super::{complain, say};
use crate::cli::{Exit, TrainArgs};
use crate::evaluate::folds;

pub(super) fn run(args: &TrainArgs) -> anyhow::Result<Exit> {
    if args.out.is_none() && !args.evaluate {
        bail!("Nothing to do: say --out WEIGHTS, --evaluate, or both");
    }
    let (rows, left_out) = folds::training_rows(&args.files, args.share_alike)?;
    if left_out > 0 {
        complain(&format!(
            "{left_out} rows under share-alike licences are left out"
        ));
    }
    if args.evaluate {
        let report = folds::cross_validate(&rows, usize::from(args.folds))?;
        if args.json {
            say(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        } else {
            say(&format!(
                "Cross-validation in {} parts\n{report}",
                args.folds
            ))?;
        }
    }
    if let Some(path) = &args.out {
        let began = Instant::now();
        let weights = folds::train(&rows)?;
        let bytes = weights.to_bytes();
        // Beside it first: a running replyd never reads half a file.
        let beside = path.with_extension("part");
        fs::write(&beside, &bytes).with_context(|| format!("Write {}", beside.display()))?;
        fs::rename(&beside, path).with_context(|| format!("Write {}", path.display()))?;
        complain(&format!(
            "{}: weights {} from {} rows, {} bytes, in {:.1} s",
            path.display(),
            weights.version(),
            rows.len(),
            bytes.len(),
            began.elapsed().as_secs_f64()
        ));
    }
    Ok(Exit::Done)
}

//! What the targets share.

/// Lets panics of mail-parser and imap-proto pass, which the program catches where it calls them
/// (`mime`, `imap::wire`): a finding is a panic of our own code, one that is not caught, an
/// overflow of the stack, a bound that is passed, or an input that takes over ten seconds.
pub fn own_panics_only() {
    let abort = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let file = info.location().map_or("", |l| l.file());
        let caught = ["/mail-parser-", "/imap-proto-", "/async-imap-"];
        if !caught.iter().any(|c| file.contains(c)) {
            abort(info);
        }
    }));
}

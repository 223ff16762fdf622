//! Behaviour of the IMAP edge against a scripted server, with a paused clock.

mod agreeing;
mod connecting;
mod guarding;
mod sessions;
mod watching;

//! Signing in by OAuth2 (RFC 6749): a person consents once, from then on tokens are renewed here.
//!
//! | file | duty |
//! | --- | --- |
//! | `client` | one request to a token server, and what its answer means |
//! | `causes` | why a grant ends, in words |
//! | `seal` | tokens at rest |
//! | `renew`, `refresh` | access tokens from the store, renewed in time, one refresh at a time |
//! | `keeper` | renewing in the background of `run`, and noticing logins of other processes |
//! | `consent`, `loopback` | a person's consent in a browser (PKCE, RFC 7636 and RFC 8252) |
//! | `device` | a person's consent on another device (RFC 8628) |

pub(crate) mod causes;
pub(crate) mod client;
pub(crate) mod consent;
pub(crate) mod device;
mod keeper;
pub(crate) mod loopback;
mod refresh;
mod renew;
mod seal;

pub(crate) use keeper::{Keeper, Kept};
pub(crate) use renew::{Mark, Renewer};

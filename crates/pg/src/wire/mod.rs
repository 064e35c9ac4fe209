//! PostgreSQL's protocol, version 3: the bytes of its messages, and nothing of what they mean.
//!
//! Written by hand: of what crates there are, none bounds what a client may claim before it has signed in, reads texts
//! that are no UTF-8 as an error, or lets rows go from columns into the buffer of the socket without one more copy.

mod message;
mod out;
mod reader;
mod startup;

pub(crate) use message::{Bind, Message, Target};
pub(crate) use out::{Column, Notice, Out, Transaction};
pub(crate) use reader::{LONGEST, Malformed, body, head, password};
pub(crate) use startup::{Hello, hello};

//! No code: whoever is built beside this crate has the dependencies' features that its manifest names.

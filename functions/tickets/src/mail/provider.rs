//! What providers of mail hand on.

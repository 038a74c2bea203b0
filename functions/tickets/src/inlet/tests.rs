//! Mail that is posted, and what becomes of it.

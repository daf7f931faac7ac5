//! Receipts, questions and answers for residents.

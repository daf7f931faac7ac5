//! One reading of the store for an area and some days.

//! The config file, validated section by section into domain types.

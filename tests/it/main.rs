//! The program through its front door, and rules the sources must keep.

mod layers;

//! Client requests, and the summary of what was not differentiated.

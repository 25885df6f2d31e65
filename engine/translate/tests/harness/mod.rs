//! Executes client instructions natively and in translation, within the test process.

pub mod blocks;
pub mod case_file;
pub mod compare;
pub mod computed;
pub mod examine;
pub mod families;
pub mod generate;
pub mod machine;
pub mod random;
pub mod reference;
pub mod region;
pub mod report;
pub mod run;
pub mod switch;
pub mod tape;
pub mod twins;
pub mod values;
pub mod x87;

//! Pipelines: any text is a pipeline or an error, and a pipeline reads the same when it is written again.

#![no_main]

use delivery_model::pipeline::Pipeline;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(pipeline) = Pipeline::from_toml(text, "fuzz") {
        assert_eq!(Pipeline::from_toml(&pipeline.to_toml(), "fuzz").as_ref(), Ok(&pipeline));
    }
});

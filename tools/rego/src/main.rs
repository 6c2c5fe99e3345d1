//! Evaluates resource policies as Trustee's key broker does: a new engine for each question, the path of the request as
//! data, the claims as input, and the rule data.policy.allow, which counts as no unless it is the value true.
//!
//!   cc-rego <CASES    JSON on stdin: [{"policy": TEXT, "data": {...}, "input": {...}}, ...]
//!                     JSON on stdout: [true, false, {"error": TEXT}, ...]
//!   cc-rego eval --format json --data POLICY.rego --data DATA.json --input INPUT.json data.policy.allow
//!                     the same for one question, with the words and the answer of `opa eval`

use regorus::{Engine, Value};
use serde_json::{json, Value as Json};
use std::{env, fs, io, process};

const RULE: &str = "data.policy.allow";

fn evaluate(policy: &str, data: &str, input: &str) -> Result<bool, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut engine = Engine::new();
    engine.add_policy(String::new(), policy.to_string()).map_err(|e| text(&e))?;
    engine.add_data(Value::from_json_str(data).map_err(|e| text(&e))?).map_err(|e| text(&e))?;
    engine.set_input_json(input).map_err(|e| text(&e))?;
    let value = match engine.eval_rule(RULE.to_string()) {
        Err(error) if error.to_string().contains("not a valid rule path") => return Ok(false),
        result => result.map_err(|e| text(&e))?,
    };
    Ok(value == Value::from(true))
}

fn batch() -> Result<(), String> {
    let cases: Vec<Json> = serde_json::from_reader(io::stdin()).map_err(|e| e.to_string())?;
    let answers: Vec<Json> = cases
        .iter()
        .map(|case| {
            let policy = case["policy"].as_str().unwrap_or_default();
            match evaluate(policy, &case["data"].to_string(), &case["input"].to_string()) {
                Ok(allowed) => json!(allowed),
                Err(error) => json!({ "error": error }),
            }
        })
        .collect();
    println!("{}", Json::from(answers));
    Ok(())
}

fn eval(words: &[String]) -> Result<(), String> {
    let (mut policy, mut data, mut input) = (String::new(), "{}".to_string(), "{}".to_string());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut file = || {
            let path = words.next().ok_or(format!("{word} needs a value"))?;
            let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
            Ok::<_, String>((path.ends_with(".rego"), text))
        };
        match word.as_str() {
            "--data" => match file()? {
                (true, text) => policy = text,
                (false, text) => data = text,
            },
            "--input" => input = file()?.1,
            "--format" => drop(words.next()),
            RULE => {}
            _ => return Err(format!("unexpected argument '{word}'")),
        }
    }
    let value = evaluate(&policy, &data, &input)?;
    println!("{}", json!({"result": [{"expressions": [{"value": value, "text": RULE}]}]}));
    Ok(())
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let result = match words.first().map(String::as_str) {
        None => batch(),
        Some("eval") => eval(&words[1..]),
        Some(other) => Err(format!("unexpected argument '{other}'")),
    };
    if let Err(error) = result {
        eprintln!("cc-rego: {error}");
        process::exit(2);
    }
}

//! Roots over minijinja: a template compiler and virtual machine with dynamic values and registered functions.

use minijinja::{Environment, context};

pub fn render(template: &str, name: &str) -> String {
    Environment::new().render_str(template, context! { name }).unwrap_or_default()
}

pub fn expression(source: &str) -> bool {
    let env = Environment::new();
    env.compile_expression(source).and_then(|e| e.eval(())).is_ok_and(|value| value.is_true())
}

pub fn variables(template: &str) -> usize {
    let env = Environment::new();
    env.template_from_str(template).map_or(0, |t| t.undeclared_variables(true).len())
}

//! When cron expressions fire: the rules one by one, tables from an independent source, and what holds for all zones.

#[path = "cron/instants.rs"]
mod instants;

#[path = "cron/errors.rs"]
mod errors;
#[path = "cron/model.rs"]
mod model;
#[path = "cron/property.rs"]
mod property;
#[path = "cron/rules.rs"]
mod rules;
#[path = "cron/tables.rs"]
mod tables;

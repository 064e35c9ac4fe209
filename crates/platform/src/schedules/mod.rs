//! Schedules: at their times a segment job or an export job is created, once for each time.

mod object;
mod run;
mod times;

pub use object::{
    NewSchedule, Schedule, ScheduleChange, ScheduleKind, ScheduleProperties, ScheduleState,
    ScheduledJob, change_schedule, create_schedule, delete_schedule, schedule, schedules,
};
pub use run::{ScheduleRun, due_schedules, run_schedule};

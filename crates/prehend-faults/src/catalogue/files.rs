//! Section F: settings, robots, scenes, meshes. Nothing of it moves an arm: the crates that read these files try it.

use super::skip;
use crate::fault::Fault;

pub(super) const ROWS: &[Fault] = &[
    skip(
        "F1",
        "entity bombs, 10,000 levels, a gigabyte, UTF-16, NUL bytes",
        "refused < 1 s, < 256 MB",
        "prehend-robot's tests: `entities_are_never_expanded`, `ten_thousand_levels_are_refused`, \
         `a_gigabyte_is_not_read`, `bad_files_are_refused_with_file_line_element_and_remedy` (UTF-16), \
         `mutated_files_are_read_or_refused` (NUL)",
    ),
    skip(
        "F2",
        "NaN, inf, 1e400, 0x10, 1,5 and words in any number",
        "refused with line and attribute",
        "prehend-robot's tests: `numbers_that_are_none`, `vectors_of_another_length`, \
         `lines_are_those_of_the_element`",
    ),
    skip(
        "F3",
        "cyclic joints, two roots, missing links, equal names",
        "refused",
        "prehend-robot's tests: `trees_that_are_none`, \
         `bad_files_are_refused_with_file_line_element_and_remedy`",
    ),
    skip(
        "F4",
        "masses and inertias that no body has",
        "refused, or repaired and said, by a flag",
        "prehend-robot's tests: `bodies_that_cannot_be`, `impossible_inertias_are_repaired_only_when_asked`, \
         `the_pandas_link_4_is_the_published_one_repaired`",
    ),
    skip(
        "F5",
        "lower above upper, no limit, effort or velocity 0 or absent",
        "refused",
        "prehend-robot's test `limits_that_are_missing_or_senseless`",
    ),
    skip(
        "F6",
        "axes of no length, not of unit length, of 4 numbers",
        "refused",
        "prehend-robot's tests: `joints_that_cannot_be_moved`, `vectors_of_another_length`",
    ),
    skip(
        "F7",
        "rpy with several angles",
        "kinematics equal the golden rows to 1e-6",
        "prehend-robot's tests: `shipped_arms_equal_the_golden_rows`, \
         `several_angles_in_one_rpy_turn_about_fixed_axes`",
    ),
    skip(
        "F8",
        "meshes: missing, outside their folder, on the web, hostile headers, NaN, open, inverted",
        "refused, or a hull by a flag; nothing outside is read",
        "prehend-robot's tests: `shapes_and_meshes`, `links_out_of_the_folder_and_devices_are_not_followed`, \
         `a_package_is_found_above_the_file_and_nothing_beside_it`, `what_is_no_solid_is_refused`, \
         `closed_open_and_inverted_boxes_are_the_same_body`",
    ),
    skip(
        "F9",
        "boxes, cylinders, capsules of no or negative size",
        "refused",
        "prehend-robot's tests: `shapes_and_meshes`, \
         `bad_files_are_refused_with_file_line_element_and_remedy`",
    ),
    skip(
        "F10",
        "mimic of a joint that is not there, in a loop",
        "refused",
        "prehend-robot's test `bad_files_are_refused_with_file_line_element_and_remedy`",
    ),
    skip(
        "F11",
        "unknown and misspelt keys; degrees in a field of radians",
        "refused; a suspicious unit keeps the arm from being armed",
        "keys: prehend-types' test `a_misspelt_key_is_named_with_line_and_nearest_key`, prehend-runtime's \
         `misspelt_keys_are_named_with_the_nearest`; units: prehend-robot's \
         `degrees_are_suspected_until_they_are_tightened_to_radians`, prehend-runtime's \
         `an_arm_whose_limits_look_like_degrees_is_run_only_on_request`",
    ),
    skip(
        "F12",
        "a configuration with looser limits than the robot's",
        "refused unless insisted on, and then logged",
        "prehend-robot's tests: `looser_values_are_refused_and_say_how_to_insist`, \
         `looser_values_are_taken_on_request_and_reported`; prehend-runtime's \
         `a_cell_may_tighten_limits_and_loosens_them_only_on_request`",
    ),
    skip(
        "F13",
        "a control rate of 0, negative, 1e9, NaN; more than 200 ms to live",
        "refused",
        "prehend-runtime's test `values_out_of_range_are_named`",
    ),
    skip(
        "F14",
        "bodies inside each other, at 1e9 m, dt = 0, 1e6 bodies",
        "finite or said not to be; the episode dropped and counted",
        "prehend-sim's tests: `bodies_inside_each_other_or_far_away_stay_finite_or_end_the_episode`, \
         `scene_files_are_checked` (1e9 m, 1e6 bodies), `an_episode_that_diverged_or_panicked_ends_as_that`; the step is no \
         setting",
    ),
    skip(
        "F15",
        "command line and file disagree",
        "one order of precedence; the effective settings with their hash",
        "prehend's test `ctrl_c_ends_a_demo_with_the_arm_at_rest_and_its_report_saved` looks at the settings \
         that were written; there are no environment variables for settings",
    ),
    skip(
        "F16",
        "a configuration is edited while it runs",
        "no effect",
        "prehend's test `a_run_of_one_episode_ends_with_every_report` overwrites its launch file once the arm moves; \
         files are read once, at the start, and nothing asks for them again",
    ),
];

//! Section S: data sets, checkpoints, logs. Nothing of it moves an arm: the crates that keep these files try it.

use super::skip;
use crate::fault::Fault;

pub(super) const ROWS: &[Fault] = &[
    skip(
        "S1",
        "`kill -9` at 1,000 moments of a recording",
        "everything committed is read; at most 1 s lost",
        "not at 1,000 moments: prehend-runtime's test \
         `a_killed_recorder_leaves_a_prefix_that_replays_and_the_loss_is_named`, prehend-data's \
         `every_truncation_leaves_a_prefix_and_is_named` and `leftovers_of_an_interrupted_writer_are_removed`",
    ),
    skip(
        "S2",
        "power cuts: writes lost, torn, reordered at every sync",
        "as S1",
        "not written: no file system here loses writes; prehend-data's test \
         `every_truncation_leaves_a_prefix_and_is_named` tears the end of a file",
    ),
    skip(
        "S3",
        "the disk is full",
        "recording stops and says so, earlier data whole, control unaffected",
        "prehend-data's test `a_full_disk_keeps_what_was_complete`, prehend's \
         `a_full_disk_is_lost_data_and_says_what_is_kept`; not for every N-th write",
    ),
    skip(
        "S4",
        "EIO on read, write, fsync, rename",
        "a typed error; after a failed fsync the data counts as lost",
        "not written: no file system here fails on request",
    ),
    skip(
        "S5",
        "SIGINT while files are finished, and a second one",
        "over <= 5 s; consistent after the second",
        "prehend's test `ctrl_c_keeps_whole_episodes`; the second one is not tried",
    ),
    skip(
        "S6",
        "a crash while a checkpoint is saved",
        "the one before loads; never half a file",
        "prehend-data's test `replaces_whole_files_and_leaves_nothing_else`; not at every system call",
    ),
    skip(
        "S7",
        "index and files of a data set disagree",
        "repaired to the longest verified prefix, never renumbered silently",
        "there is no index beside the files; prehend-data's tests `a_damaged_file_is_named` and \
         `an_episode_under_another_name_is_refused` see what does not belong",
    ),
    skip(
        "S8",
        "bits flipped in stored data",
        "100 % found; what is lost is said",
        "prehend-data's tests: `any_changed_bit_is_found`, \
         `every_changed_bit_is_found_and_what_is_before_it_is_kept`",
    ),
    skip(
        "S9",
        "a reader on a file that is being written",
        "a consistent prefix",
        "episodes appear whole; prehend-data's test `every_truncation_leaves_a_prefix_and_is_named` covers \
         recordings; not at once with a writer",
    ),
    skip(
        "S10",
        "two recorders on one data set",
        "the second refused",
        "prehend-data's tests: `a_second_writer_is_refused`, \
         `a_second_writer_is_refused_until_the_first_ends`",
    ),
    skip(
        "S11",
        "hostile data: lengths of 2^63, compression bombs, names that lead out",
        "refused, bounded memory",
        "prehend-data's tests: `arbitrary_bodies_with_a_right_checksum_never_panic`, \
         `arbitrary_frames_with_a_right_checksum_never_panic`, `a_name_cannot_leave_the_root`; nothing is \
         compressed",
    ),
    skip(
        "S12",
        "NaN in actions and states",
        "refused when written; training's loss is never NaN",
        "prehend-data's test `a_non_finite_number_is_named`",
    ),
    skip(
        "S13",
        "stamps that are equal, go back, or leave a gap of an hour",
        "the episode is marked",
        "not written: episodes are stored by steps, without stamps of their own",
    ),
    skip(
        "S14",
        "other rates, joints, units when going on",
        "refused",
        "prehend-data's test `other_settings_are_refused_and_named`, prehend's \
         `other_settings_do_not_mix_into_a_store`",
    ),
    skip(
        "S15",
        "empty data sets, episodes of one frame and of ten hours",
        "handled",
        "not written: no test for the sizes at both ends",
    ),
    skip(
        "S16",
        "training: NaN loss, exploding gradients",
        "the step is skipped and counted; then back to the last good checkpoint",
        "not written: a loss that is none ends the training with an error",
    ),
    skip(
        "S17",
        "training is killed and goes on",
        "the same bits",
        "prehend-train's tests: `an_interrupted_run_goes_on_as_if_nothing_had_happened`, \
         `a_resumed_run_ends_where_an_uninterrupted_one_does_and_exports`",
    ),
    skip(
        "S18",
        "two trainings in one folder",
        "the second refused",
        "prehend-data's test `a_run_folder_has_one_writer`",
    ),
];

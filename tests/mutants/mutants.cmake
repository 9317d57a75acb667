# ---- mutants: code without one check, and the tests that find it (tests/mutants) --------------
find_program(FL_PATCH patch REQUIRED) # build-essential has it
add_library(fl_support_mutant STATIC tests/support/mutant.c)
target_link_libraries(fl_support_mutant PRIVATE fl_flags PkgConfig::CMOCKA)
target_link_options(fl_support_mutant INTERFACE -Wl,--wrap=_cmocka_run_group_tests)

# fl_mutant(patch[+patch...] unit/secagg/attack_test [HOLDS] case...): links the patched source in
# front of its library into the program of that test. Each named case must fail; with HOLDS it must
# pass, because a second check stops the same attack.
function(fl_mutant name test)
    cmake_parse_arguments(arg "HOLDS" "" "" ${ARGN})
    string(REPLACE "/" "_" program ${test})
    string(REPLACE "+" ";" patches ${name})
    list(TRANSFORM patches REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/tests/mutants/\\1.patch")
    if(NOT TARGET mutant_${name})
        list(GET patches 0 first)
        file(STRINGS ${first} source REGEX "^\\+\\+\\+ ")
        string(SUBSTRING ${source} 4 -1 source)
        set(copy ${CMAKE_BINARY_DIR}/mutants/${name}/${source})
        set(commands COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/${source} ${copy})
        foreach(patch ${patches})
            list(APPEND commands COMMAND ${FL_PATCH} -sN -F0 -r - -i ${patch} ${copy})
        endforeach()
        add_custom_command(OUTPUT ${copy} ${commands} DEPENDS ${source} ${patches} VERBATIM)
        add_library(mutant_${name} OBJECT ${copy})
        target_compile_options(mutant_${name} PRIVATE -w)
        target_link_libraries(mutant_${name} PRIVATE fl_flags PkgConfig::SODIUM)
    endif()
    set(target mutant_${name}_${program})
    if(NOT TARGET ${target})
        get_target_property(needs ${program} LINK_LIBRARIES)
        add_executable(${target} $<TARGET_OBJECTS:${program}> $<TARGET_OBJECTS:mutant_${name}>)
        target_link_libraries(${target} PRIVATE fl_support_mutant ${needs})
        fl_needs(mutant ${target})
    endif()
    foreach(case ${arg_UNPARSED_ARGUMENTS})
        add_test(NAME mutant/${name}/${case} COMMAND ${target})
        set_tests_properties(mutant/${name}/${case} PROPERTIES LABELS mutant TIMEOUT 120
            ENVIRONMENT "FL_MUTANT_CASE=${case};$<$<BOOL:${arg_HOLDS}>:FL_MUTANT_HOLDS=yes>"
            ENVIRONMENT_MODIFICATION ASAN_OPTIONS=set:detect_leaks=0) # a case that fails leaks
    endforeach()
endfunction()

set(attack unit/secagg/attack_test)
fl_mutant(r1-dead-without-psig ${attack} a_missing_signature_never_means_dead)
fl_mutant(r1-alive-without-psig ${attack} HOLDS a_mask_set_for_one_member_alone_does_not_read_it)
fl_mutant(r3-maskset-small ${attack} HOLDS a_mask_set_for_one_member_alone_does_not_read_it)
fl_mutant(r1-alive-without-psig+r3-maskset-small ${attack}
    a_mask_set_for_one_member_alone_does_not_read_it)
fl_mutant(r2-second-survivors ${attack} HOLDS survivors_told_twice_get_one_kind_of_share)
fl_mutant(r2-second-survivors+r10-released-again ${attack}
    survivors_told_twice_get_one_kind_of_share)
fl_mutant(r3-survivors-not-masked ${attack} survivors_who_never_masked_are_refused)
fl_mutant(r3-acks-few ${attack} survivors_that_differ_by_member_open_no_small_group)
fl_mutant(r4-masked-twice ${attack} an_update_is_masked_once)
fl_mutant(r8-any-model ${attack} an_update_of_an_older_model_is_not_masked)
fl_mutant(r6-roster-keeps-secrets unit/secagg/anew_test
    what_belongs_to_a_roster_is_gone_before_the_keys_of_the_next_leave)
set(weights unit/secagg/weights_test)
fl_mutant(r12-any-weight ${weights} a_weight_that_the_weighting_does_not_give_ends_the_block)
fl_mutant(r12-any-class ${weights} a_class_above_the_plan_or_the_certificate_is_refused)
fl_mutant(r12-any-part ${weights} a_member_is_no_large_part_of_what_it_lets_be_opened)
fl_mutant(any-block-size ${attack} a_block_of_one_is_no_block)
fl_mutant(any-profile ${attack} a_weaker_profile_is_refused_whoever_signed_it)
fl_mutant(context-without-task ${attack} two_tasks_in_one_block_do_not_isolate_a_member)
fl_mutant(context-without-roster ${attack} two_rosters_never_meet_in_one_mask_set)
set(rosters unit/secagg/rosters_test)
fl_mutant(context-without-roster ${rosters} HOLDS three_rosters_of_one_block_do_not_read_a_member)
fl_mutant(r3-maskset-not-good ${rosters} HOLDS three_rosters_of_one_block_do_not_read_a_member)
fl_mutant(context-without-roster+r3-maskset-not-good ${rosters}
    three_rosters_of_one_block_do_not_read_a_member)
set(statistics unit/secagg/statistics_test)
fl_mutant(no-own-mask ${statistics} what_an_edge_cannot_derive_is_noise)
fl_mutant(r6-own-mask-not-drawn ${statistics} no_keystream_is_used_in_two_rounds)
set(checks unit/secagg/checks_test)
fl_mutant(r2-any-run ${checks} a_frame_of_another_run_or_block_is_dropped_when_it_is_the_first)
fl_mutant(r2-any-block ${checks} a_frame_of_another_run_or_block_is_dropped_when_it_is_the_first)
fl_mutant(r2-block-is-no-content ${checks}
    a_content_is_another_one_in_its_block_and_in_its_signatures)
fl_mutant(any-block-size ${checks} each_floor_is_asked_for_by_a_member_itself)
fl_mutant(r9-any-sets ${checks} messages_that_only_one_check_refuses_do_not_count)
fl_mutant(r9-lost-acknowledges ${checks} a_lost_participant_cannot_acknowledge_or_open)
fl_mutant(r9-blamed-uploads ${checks} the_upload_of_a_blamed_participant_is_not_accepted)
fl_mutant(r3-survivors-few unit/secagg/client_test survivors_and_acks_are_believed_only_as_signed)
fl_mutant(r4-spent-is-forgotten unit/secagg/replay_test
    a_round_of_long_ago_is_not_masked_again_by_a_detour)
fl_mutant(r4-kept-of-any-plan unit/edge/kept_test
    the_same_sum_is_handed_in_for_the_same_model_and_numbers_alone)
set(burnt unit/secagg/burnt_test)
fl_mutant(r4-bound-when-it-opens ${burnt} who_did_not_give_shares_masks_once_all_the_same)
fl_mutant(r4-any-draw unit/secagg/client_life_test
    of_a_model_further_draws_are_masked_as_often_as_the_member_allows)
fl_mutant(r4-draw-of-all-samples unit/model/learn_test a_half_is_another_one_for_each_seed)
fl_mutant(r4-masks-again ${attack} an_update_is_not_opened_again_with_other_survivors
    a_detour_over_another_run_makes_nobody_forget)
fl_mutant(r4-model-of-the-file ${attack} a_file_with_other_metadata_is_the_same_model)
fl_mutant(r4-any-mark unit/identity/state_dir_test
    a_mark_comes_back_and_a_damaged_one_is_no_fresh_start)
fl_mutant(r10-release-is-forgotten ${burnt} a_member_that_dies_at_any_write_has_one_word)
fl_mutant(r10-who-released-says-burnt ${burnt} a_block_that_was_opened_is_never_proved_unopened)
fl_mutant(r10-burnt-in-hand ${burnt} nobody_says_burnt_of_the_round_in_hand)
fl_mutant(r10-any-signature ${burnt} a_proof_with_anything_changed_clears_nothing)
fl_mutant(r10-few-signatures ${burnt} a_proof_with_anything_changed_clears_nothing)
set(server unit/secagg/server_test)
fl_mutant(r7-told-before-kept ${server} a_fact_that_cannot_be_stored_is_never_sent)
fl_mutant(r9-any-dealing ${server} a_blamed_participant_has_no_part_in_the_round_whatever_it_sends)
fl_mutant(r9-any-psig ${server} one_bad_signature_where_every_survivor_counts)
fl_mutant(r9-any-asig ${server} one_bad_signature_where_every_survivor_counts)
fl_mutant(r9-any-share ${server} one_bad_signature_where_every_survivor_counts)
fl_mutant(any-old-badge unit/net/admission_test
    a_seated_node_that_is_revoked_is_not_heard_however_many_other_keys_were_admitted)
fl_mutant(any-crowd unit/net/allowance_test
    strangers_make_room_from_the_fullest_crowd_who_stands_still_longest_first)
fl_mutant(any-number-of-certificates unit/identity/enrol_issue_test
    a_name_gets_only_so_many_certificates_within_an_hour)
fl_mutant(one-lane-of-enrolments unit/identity/enrol_relay_test
    a_flood_stops_neither_a_newcomer_of_another_network_nor_a_renewal)

set(pools unit/secagg/pools_test)
fl_mutant(r11-any-floor ${pools} a_roster_is_taken_only_inside_its_pool
    two_sybils_and_small_blocks_read_nobody)
fl_mutant(r11-any-name ${pools} a_roster_is_taken_only_inside_its_pool)
fl_mutant(r11-any-epoch ${pools} a_roster_is_taken_only_inside_its_pool)
fl_mutant(r11-any-parent ${pools} a_roster_is_taken_only_inside_its_pool)
fl_mutant(r11-any-signature ${pools} a_roster_is_taken_only_inside_its_pool)
fl_mutant(r11-any-pool-of-an-epoch ${pools} two_pools_of_one_epoch_are_evidence_and_end_the_round)
fl_mutant(r11-epoch-is-forgotten ${pools} an_epoch_is_remembered_after_a_restart)
fl_mutant(r13-any-part unit/secagg/batches_test a_set_without_one_of_a_run_is_refused)
fl_mutant(pools-unshuffled unit/cloud/drawing_test a_draw_is_uniform)
fl_mutant(pools-newcomers-last unit/cloud/drawing_test newcomers_come_to_random_places)
fl_mutant(pools-drawn-anew unit/cloud/drawing_test later_draws_only_take_out_and_put_in)

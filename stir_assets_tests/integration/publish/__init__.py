"""The publication engine on real engines. The 25 faults it must survive, each asserted on the live table:

 1 readers under a hundred publications          test_readers
 2 long reader transactions                      test_readers
 3 a reader idle in a transaction                test_readers
 4 a snapshot older than the load                test_readers
 5 pg_dump                                       test_readers
 6 the client killed in any phase                test_crashes
 7 a backend or the server killed                test_crashes
 8 the connection lost at the commit             test_crashes
 9 a client that hangs and comes back            test_rivals
10 several publishers, a lost lock               test_rivals
11 a truncated object                            test_exports
12 a missing, doubled or foreign object          test_exports
13 an exception while exporting                  test_exports
14 no rows                                       test_exports
15 guards                                        test_guards
16 changed columns                               test_guards
17 what hangs off the table                      test_carry_over
18 dependent views                               test_carry_over
19 what cannot be carried                        test_refusals
20 names                                         test_carry_over
21 types                                         test_types
22 a hot standby                                 test_standby
23 rollback                                      test_rollback
24 full disk, limits, privileges, a replica      test_resources
25 diff and upsert, change of mode               test_merging, test_pointer
   a logical subscriber, which `diff` is for     test_replication
"""

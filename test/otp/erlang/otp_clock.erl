%% Virtual time, in milliseconds, for the supervisors and children of one script: nothing but
%% advance/1 lets it pass. The words are those of the module erlang, so that virtual_supervisor
%% can be told to ask here instead.
%%
%% One scheduler runs everything (erl +S 1:1), the supervisors and children at priority high and
%% the driver at normal. "When runnable processes on priority high exist, no processes on priority
%% low or normal are selected for execution" (erlang:process_flag/2), so the driver comes back from
%% a yield when they all wait, for a message or for this clock. Only a process that is exiting may
%% still be on its way then; settle/0 waits for that, too.
-module(otp_clock).
-export([create/0, reset/0, seconds/0, start_timer/3, cancel_timer/1, advance/1, settle/0]).

create() ->
    otp_clock = ets:new(otp_clock, [named_table, public]),
    otp_timers = ets:new(otp_timers, [named_table, public, ordered_set]),
    reset().

reset() ->
    ets:insert(otp_clock, {now, 1000000}),
    ets:delete_all_objects(otp_timers).

%% For erlang:monotonic_time(second).
seconds() -> now_ms() div 1000.

%% For erlang:start_timer/3, and for `receive after`; infinity never comes.
start_timer(infinity, _Pid, _Message) ->
    {infinity, erlang:unique_integer([monotonic])};
start_timer(Time, Pid, Message) ->
    Timer = {now_ms() + Time, erlang:unique_integer([monotonic])},
    ets:insert(otp_timers, {Timer, Pid, Message}),
    Timer.

cancel_timer(Timer) ->
    ets:delete(otp_timers, Timer),
    receive
        {timeout, Timer, _} -> ok
    after 0 -> ok
    end.

%% Every timer comes at its own moment, in order, and all it leads to is done before the next.
advance(Time) ->
    Until = now_ms() + Time,
    advance_until(Until),
    ets:insert(otp_clock, {now, Until}),
    ok.

advance_until(Until) ->
    settle(),
    case ets:first(otp_timers) of
        {Due, _} = Timer when Due =< Until ->
            [{Timer, Pid, Message}] = ets:take(otp_timers, Timer),
            ets:insert(otp_clock, {now, max(Due, now_ms())}),
            Pid ! {timeout, Timer, Message},
            advance_until(Until);
        _ ->
            ok
    end.

settle() -> settle(2).

settle(0) -> ok;
settle(Times) ->
    erlang:yield(),
    case otp_diary:all_wait() of
        true -> settle(Times - 1);
        false -> settle(2)
    end.

now_ms() -> ets:lookup_element(otp_clock, now, 2).

%% A child that starts, stops and dies as its script says.
-module(otp_child).
-export([start/1, start/2, init/2]).

%% Called by the supervisor.
start(#{id := Id} = Child) ->
    case otp_diary:next_start(Id) of
        ok ->
            otp_diary:write(["start ", Id]),
            proc_lib:start_link(?MODULE, init, [self(), Child], infinity, [{priority, high}]);
        ignore ->
            otp_diary:write(["start ", Id, " ignore"]),
            ignore;
        fail ->
            otp_diary:write(["start ", Id, " fail"]),
            {error, fail};
        crash ->
            otp_diary:write(["start ", Id, " crash"]),
            error(crash)
    end.

%% Of a simple_one_for_one supervisor: the template, and what start_child/2 was given.
start(Template, Id) ->
    start(Template#{id := Id}).

init(Supervisor, #{id := Id, stop := Stop}) ->
    process_flag(trap_exit, Stop =/= obey),
    otp_diary:watch(self(), Id),
    proc_lib:init_ack(Supervisor, {ok, self()}),
    live(Supervisor, Id, Stop).

live(Supervisor, Id, Stop) ->
    receive
        {die, Reason} ->
            exit(Reason);
        {timeout, _, stop_now} ->
            exit(shutdown);
        {'EXIT', Supervisor, shutdown} ->
            otp_diary:asked(Id),
            case Stop of
                normal -> exit(normal);
                crash -> exit(crash);
                {slow, Seconds} -> otp_clock:start_timer(Seconds * 1000, self(), stop_now);
                ignore -> ok
            end,
            live(Supervisor, Id, Stop);
        {'EXIT', _, Reason} -> % the supervisor was killed
            exit(Reason)
    end.

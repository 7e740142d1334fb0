%% What happens in one script, as lines in the order in which it happened, and who is alive.
%%
%% The observer has priority max: the end of a process is a line before its supervisor, which has
%% priority high, acts on it.
-module(otp_diary).
-export([create/0, reset/0, write/1, take/0]).
-export([plan/2, next_start/1, watch/2, watch_supervisor/2, helper/1, pid_of/1, id_of/1, asked/1]).
-export([someone_is_stopping/0, all_wait/0, kill_everybody/0, reason/1]).

create() ->
    [Name = ets:new(Name, [named_table, public, ordered_set])
     || Name <- [otp_lines, otp_plans, otp_pids, otp_alive, otp_asked]],
    register(otp_observer, spawn_opt(fun() -> observe(#{}) end, [{priority, max}])),
    ok.

reset() ->
    [ets:delete_all_objects(Name) || Name <- [otp_lines, otp_plans, otp_pids, otp_alive, otp_asked]].

write(Line) ->
    ets:insert(otp_lines, {erlang:unique_integer([monotonic]), Line}).

take() ->
    Lines = [Line || {_, Line} <- ets:tab2list(otp_lines)],
    ets:delete_all_objects(otp_lines),
    Lines.

%% How the next starts of a child go: ok, fail, crash, ignore; afterwards ok.
plan(Id, Starts) ->
    ets:insert(otp_plans, {Id, Starts}).

next_start(Id) ->
    case ets:lookup(otp_plans, Id) of
        [{_, [Next | Rest]}] -> ets:insert(otp_plans, {Id, Rest}), Next;
        _ -> ok
    end.

%% Called by the process itself, first. The reason of a supervisor's end is not compared: ours has
%% no words for it but those that its parent is told.
watch(Pid, Id) -> watch(Pid, Id, Id).

watch_supervisor(Pid, Id) -> watch(Pid, Id, {supervisor, Id}).

%% Neither supervisor nor child, but not to be overtaken by the driver either. Waits for `go`.
helper(Fun) ->
    Pid = spawn_opt(fun() -> receive go -> Fun() end end, [{priority, high}]),
    watch(Pid, helper, helper),
    Pid.

watch(Pid, Id, Kind) ->
    ets:insert(otp_pids, {Id, Pid}),
    ets:insert(otp_alive, {Pid, Id}),
    otp_observer ! {watch, self(), Pid, Kind},
    receive
        {watched, Pid} -> ok
    end.

pid_of(Id) ->
    case ets:lookup(otp_pids, Id) of
        [{_, Pid}] ->
            case is_process_alive(Pid) of
                true -> Pid;
                false -> none
            end;
        [] -> none
    end.

id_of(Pid) ->
    case ets:lookup(otp_alive, Pid) of
        [{_, Id}] -> Id;
        [] -> "gone"
    end.

%% A child that was asked to stop says so.
asked(Id) ->
    write(["asked ", Id]),
    ets:insert(otp_asked, {Id}).

someone_is_stopping() -> ets:info(otp_asked, size) > 0.

%% Nobody has anything to do, and every end has been written down.
all_wait() ->
    lists:all(fun({Pid, _}) -> process_info(Pid, status) =:= {status, waiting} end,
              ets:tab2list(otp_alive)).

kill_everybody() ->
    [exit(Pid, kill) || {Pid, _} <- ets:tab2list(otp_alive)],
    otp_clock:settle().

observe(Watched) ->
    receive
        {watch, From, Pid, Id} ->
            Monitor = monitor(process, Pid),
            From ! {watched, Pid},
            observe(Watched#{Monitor => Id});
        {'DOWN', Monitor, process, Pid, Reason} ->
            {Kind, Rest} = maps:take(Monitor, Watched),
            ended(Kind, Reason),
            ets:delete(otp_alive, Pid),
            observe(Rest)
    end.

ended(helper, _) -> ok;
ended({supervisor, Id}, _) -> write(["end ", Id]);
ended(Id, Reason) ->
    ets:delete(otp_asked, Id),
    write(["end ", Id, " ", reason(Reason)]).

reason(normal) -> "normal";
reason(shutdown) -> "shutdown";
reason(killed) -> "killed";
reason(crash) -> "crash";
reason({shutdown, {failed_to_start_child, _, _}}) -> "failed";
reason({shutdown, _}) -> "term";
reason(Other) -> io_lib:format("~0tp", [Other]).

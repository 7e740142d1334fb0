%% Plays scripts to OTP's supervisor. Reads them from standard input and writes what happened to
%% standard output, both in frames of four bytes of length and so much text.
-module(otp_driver).
-export([main/0, prepare/0, play/1]).

main() ->
    prepare(),
    process_flag(trap_exit, true),
    serve(open_port({fd, 0, 1}, [binary, {packet, 4}])).

%% Once, before play/1.
prepare() ->
    logger:set_primary_config(level, none), % crashes are what scripts are made of
    virtual_supervisor_maker:make(),
    otp_clock:create(),
    otp_diary:create(),
    % Who calls into a module that is not there yet waits for processes at priority normal.
    [begin
         {ok, Modules} = application:get_key(Application, modules),
         [code:ensure_loaded(Module) || Module <- Modules]
     end || Application <- [kernel, stdlib]],
    [{module, _} = code:ensure_loaded(Module)
     || Module <- [otp_child, otp_clock, otp_diary, otp_script, otp_tree]],
    % The first question about a module's log level keeps the answer as a persistent term, for which
    % the process is suspended: its siblings would overtake it.
    [logger:allow(error, Module) || Module <- [gen_server, proc_lib, supervisor]],
    ok.

serve(Port) ->
    receive
        {Port, {data, Text}} ->
            port_command(Port, play(Text)),
            serve(Port);
        {'EXIT', Port, _} ->
            halt(0)
    end.

play(Text) ->
    otp_clock:reset(),
    otp_diary:reset(),
    {Top, Groups, Supervisors} = otp_script:parse(Text),
    Root = otp_diary:helper(fun() -> root(Top) end),
    Root ! go,
    finish(Supervisors),
    Boot = otp_diary:take(),
    Rest = [begin
                Acts = [prepare(Step, Root) || Step <- Group],
                erlang:yield(), % a whole turn: nobody comes between the steps of a group
                [Act() || Act <- Acts],
                finish(Supervisors),
                otp_diary:take()
            end || Group <- Groups],
    otp_diary:kill_everybody(),
    [[[Line, "\n"] || Line <- Lines] ++ "\n" || Lines <- [Boot | Rest]].

%% The parent of the top supervisor.
root(Top) ->
    process_flag(trap_exit, true),
    case otp_tree:start(Top) of
        {ok, Pid} ->
            otp_diary:write("up"),
            root_of(Pid);
        {error, Reason} ->
            otp_diary:write(["failed ", path(Reason)])
    end.

root_of(Pid) ->
    receive
        stop ->
            exit(Pid, shutdown),
            root_of(Pid);
        {'EXIT', Pid, Reason} ->
            otp_diary:write(["over ", otp_diary:reason(Reason)])
    end.

path({shutdown, {failed_to_start_child, Id, Reason}}) -> [Id, ": ", path(Reason)];
path(_) -> "failed".

%% A group of steps is over when nobody is being stopped any more; so long, time passes. Then all
%% supervisors tell who is there.
finish(Supervisors) ->
    finish_stops(100),
    [otp_diary:write(who_is_there(Id, Pid))
     || Id <- Supervisors, Pid <- [otp_diary:pid_of(Id)], Pid =/= none].

finish_stops(Patience) ->
    otp_clock:settle(),
    case otp_diary:someone_is_stopping() of
        true when Patience > 0 ->
            otp_diary:write("a second passes"),
            otp_clock:advance(1000),
            finish_stops(Patience - 1);
        true ->
            otp_diary:write("somebody never stops");
        false ->
            ok
    end.

who_is_there(Id, Pid) ->
    [Id, ":", which(supervisor:which_children(Pid)), " (",
     counts(supervisor:count_children(Pid)), ")"].

which([{undefined, _, _, _} | _] = Dynamic) ->
    lists:sort([[" ", name(Pid)] || {undefined, Pid, _, _} <- Dynamic]);
which(Children) -> % the last one first
    [[" ", Id, "=", state(Pid)] || {Id, Pid, _, _} <- lists:reverse(Children)].

name(restarting) -> "restarting";
name(Pid) -> otp_diary:id_of(Pid).

state(Pid) when is_pid(Pid) -> "alive";
state(Atom) -> atom_to_binary(Atom).

%% Without the specs: they are those of which_children, and one for a dynamic supervisor.
counts([{specs, _} | Counts]) ->
    lists:join(" ", [[atom_to_binary(Key), " ", integer_to_binary(N)] || {Key, N} <- Counts]).

%% ---- steps ------------------------------------------------------------------------------------

%% What is done when the step's turn comes. The callers are there before.
prepare([<<"die">>, Id, Reason], _) ->
    fun() -> die(Id, fun(Pid) -> Pid ! {die, reason(Reason)} end) end;
prepare([<<"kill">>, Id], _) ->
    fun() -> die(Id, fun(Pid) -> exit(Pid, kill) end) end;
prepare([<<"next">>, Id, Starts], _) ->
    Plan = [binary_to_atom(S) || S <- binary:split(Starts, <<",">>, [global])],
    fun() -> otp_diary:plan(Id, Plan) end;
prepare([<<"pass">>, Time], _) ->
    Milliseconds = case binary:split(Time, <<"ms">>) of
                       [Ms, <<>>] -> binary_to_integer(Ms);
                       [Seconds] -> binary_to_integer(Seconds) * 1000
                   end,
    fun() -> otp_clock:advance(Milliseconds) end;
prepare([<<"stop">>], Root) ->
    fun() -> Root ! stop end;
prepare([Call, Supervisor | Arguments], _) ->
    Caller = otp_diary:helper(fun() -> call(Call, Supervisor, Arguments) end),
    fun() -> Caller ! go end.

die(Id, How) ->
    case otp_diary:pid_of(Id) of
        none -> otp_diary:write(["no ", Id]);
        Pid -> How(Pid)
    end.

reason(<<"term">>) -> {shutdown, asked_for};
reason(Atom) -> binary_to_atom(Atom).

call(Call, Supervisor, Arguments) ->
    Answer =
        case otp_diary:pid_of(Supervisor) of
            none -> "gone";
            Pid ->
                try answer(request(Call, Pid, Arguments))
                catch exit:_ -> "gone"
                end
        end,
    otp_diary:write([Call, " ", Supervisor, [[" ", Id] || [Id | _] <- [Arguments]], ": ", Answer]).

request(<<"start_child">>, Pid, Arguments) ->
    supervisor:start_child(Pid, otp_tree:child_spec(otp_script:child(Arguments)));
request(<<"start_dynamic">>, Pid, [Id]) -> supervisor:start_child(Pid, [Id]);
request(<<"stop_dynamic">>, Pid, [Id]) ->
    case otp_diary:pid_of(Id) of
        none -> {error, not_found};
        Child -> supervisor:terminate_child(Pid, Child)
    end;
request(<<"terminate_child">>, Pid, [Id]) -> supervisor:terminate_child(Pid, Id);
request(<<"restart_child">>, Pid, [Id]) -> supervisor:restart_child(Pid, Id);
request(<<"delete_child">>, Pid, [Id]) -> supervisor:delete_child(Pid, Id);
request(<<"get_childspec">>, Pid, [Id]) -> supervisor:get_childspec(Pid, Id);
request(<<"which_children">>, Pid, []) -> {which, supervisor:which_children(Pid)};
request(<<"count_children">>, Pid, []) -> {counts, supervisor:count_children(Pid)}.

answer(ok) -> "ok";
answer({ok, #{restart := Restart, significant := Significant, shutdown := Shutdown,
              type := Type}}) ->
    io_lib:format("~s ~s significant ~s shutdown ~p", [Type, Restart, Significant, Shutdown]);
answer({ok, undefined}) -> "ignored";
answer({ok, _}) -> "ok";
answer({which, Children}) -> ["these", which(Children)];
answer({counts, Counts}) -> counts(Counts);
answer({error, {already_started, _}}) -> "already_started";
answer({error, Known}) when Known =:= already_present; Known =:= not_found; Known =:= running;
                            Known =:= restarting; Known =:= simple_one_for_one ->
    atom_to_binary(Known);
answer({error, {bad_combination, _}}) -> "invalid_spec";
answer({error, {fail, _}}) -> "failed";
answer({error, fail}) -> "failed";
answer({error, {{'EXIT', _}, _}}) -> "failed";
answer({error, {'EXIT', _}}) -> "failed";
answer({error, Other}) -> io_lib:format("error ~0p", [Other]).

%% Makes the module virtual_supervisor: the installed OTP's own supervisor, from the abstract code
%% in its beam, with its readings of the clock sent to otp_clock and nothing else changed:
%%
%%   erlang:monotonic_time(1)             the restart intensity, in whole seconds
%%   receive ... after Time               a child that is asked to stop
%%   erlang:start_timer, cancel_timer     the children of a simple_one_for_one supervisor
%%
%% Each must be found exactly once, or this is an OTP that the driver does not know. (This file is
%% compiled as virtual_supervisor_maker; the module virtual_supervisor is what it makes.)
-module(virtual_supervisor_maker).
-export([make/0]).

make() ->
    Beam = code:which(supervisor),
    Forms =
        case beam_lib:chunks(Beam, [abstract_code]) of
            {ok, {supervisor, [{abstract_code, {_, Found}}]}} -> Found;
            Other -> exit({no_abstract_code, Beam, Other})
        end,
    put(found, []),
    Changed = [form(Form) || Form <- Forms],
    [cancel_timer, clock, receive_after, start_timer] = lists:sort(get(found)),
    {ok, virtual_supervisor, Binary} =
        compile:forms(Changed, [binary, nowarn_unused_function, nowarn_unused_record]),
    {module, virtual_supervisor} = code:load_binary(virtual_supervisor, Beam, Binary),
    ok.

form({attribute, L, module, supervisor}) -> {attribute, L, module, virtual_supervisor};
form({function, _, _, _, _} = Function) -> walk(Function);
form(Other) -> Other.

walk({call, L, {remote, _, {atom, _, erlang}, {atom, _, monotonic_time}}, [_Unit]}) ->
    found(clock),
    clock(L, seconds, []);
walk({call, L, {remote, _, {atom, _, erlang}, {atom, _, start_timer}}, Arguments}) ->
    found(start_timer),
    clock(L, start_timer, walk(Arguments));
walk({call, L, {remote, _, {atom, _, erlang}, {atom, _, cancel_timer}}, Arguments}) ->
    found(cancel_timer),
    clock(L, cancel_timer, walk(Arguments));
walk({'receive', L, Clauses, {var, _, _} = Time, After}) ->
    found(receive_after),
    Timer = {var, L, 'VirtualTimer'},
    Result = {var, L, 'VirtualResult'},
    Expired = {tuple, L, [{atom, L, timeout}, Timer, {atom, L, expired}]},
    {block, L,
     [{match, L, Timer,
       clock(L, start_timer, [Time, {call, L, {atom, L, self}, []}, {atom, L, expired}])},
      {match, L, Result,
       {'receive', L, walk(Clauses) ++ [{clause, L, [Expired], [], walk(After)}]}},
      clock(L, cancel_timer, [Timer]),
      Result]};
walk(Tuple) when is_tuple(Tuple) -> list_to_tuple(walk(tuple_to_list(Tuple)));
walk(List) when is_list(List) -> [walk(Each) || Each <- List];
walk(Other) -> Other.

clock(L, Function, Arguments) ->
    {call, L, {remote, L, {atom, L, otp_clock}, {atom, L, Function}}, Arguments}.

found(What) -> put(found, [What | get(found)]).

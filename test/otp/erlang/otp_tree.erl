%% The supervisors of a script: OTP's, at priority high. A map for each, as otp_script reads it.
-module(otp_tree).
-behaviour(supervisor).
-export([start/1, init/1, child_spec/1]).

start(#{id := Id} = Supervisor) ->
    otp_diary:write(["start ", Id]),
    gen_server:start_link(virtual_supervisor, {self, ?MODULE, Supervisor},
                          [{spawn_opt, [{priority, high}]}]).

init(#{id := Id, children := Children} = Supervisor) ->
    otp_diary:watch_supervisor(self(), Id),
    {ok, {maps:with([strategy, intensity, period, auto_shutdown], Supervisor),
          [child_spec(Child) || Child <- Children]}}.

child_spec(#{id := Id, type := Type} = Child) ->
    Module = case Type of
                 supervisor -> otp_tree;
                 worker -> otp_child
             end,
    Spec = maps:with([restart, significant, shutdown, type], Child),
    Spec#{id => Id, start => {Module, start, [Child]}}.

%% Reads a script. The format is described in script.hpp.
-module(otp_script).
-export([parse/1, child/1]).

%% {the top supervisor, the groups of steps, the supervisors' ids in order}
parse(Text) ->
    Lines = [string:lexemes(Line, " ") || Line <- string:lexemes(Text, "\n")],
    Nodes = [node_of(Line) || [Kind | _] = Line <- Lines,
                              Kind =:= <<"supervisor">> orelse Kind =:= <<"child">>],
    Steps = [Line || [Kind | _] = Line <- Lines, Kind =:= <<"then">> orelse Kind =:= <<"and">>],
    [Top] = [Node || #{parent := none} = Node <- Nodes],
    {tree(Top, Nodes), groups(Steps), [Id || #{type := supervisor, id := Id} <- Nodes]}.

tree(#{type := worker} = Child, _) -> Child;
tree(#{id := Id} = Supervisor, Nodes) ->
    Supervisor#{children => [tree(Node, Nodes) || #{parent := P} = Node <- Nodes, P =:= Id]}.

groups([]) -> [];
groups([[<<"then">> | Step] | Rest]) ->
    {More, Later} = lists:splitwith(fun([Word | _]) -> Word =:= <<"and">> end, Rest),
    [[Step | [Each || [_ | Each] <- More]] | groups(Later)].

node_of([<<"supervisor">>, Id | Pairs]) ->
    pairs(Pairs, #{id => Id, parent => none, type => supervisor, restart => permanent,
                   significant => false, shutdown => infinity,
                   strategy => one_for_one, intensity => 1, period => 5,
                   auto_shutdown => never});
node_of([<<"child">>, Id | Pairs]) -> child([Id | Pairs]).

child([Id | Pairs]) ->
    pairs(Pairs, #{id => Id, parent => none, type => worker, restart => permanent,
                   significant => false, shutdown => 5000, stop => obey}).

pairs([], Node) -> Node;
pairs([Key, Value | Rest], Node) -> pairs(Rest, pair(Key, Value, Node)).

pair(<<"in">>, Id, Node) -> Node#{parent := Id};
pair(<<"strategy">>, V, Node) -> Node#{strategy := binary_to_atom(V)};
pair(<<"restarts">>, V, Node) -> Node#{intensity := binary_to_integer(V)};
pair(<<"period">>, V, Node) -> Node#{period := binary_to_integer(V)};
pair(<<"auto_shutdown">>, V, Node) -> Node#{auto_shutdown := binary_to_atom(V)};
pair(<<"restart">>, V, Node) -> Node#{restart := binary_to_atom(V)};
pair(<<"significant">>, <<"yes">>, Node) -> Node#{significant := true};
pair(<<"shutdown">>, <<"brutal_kill">>, Node) -> Node#{shutdown := brutal_kill};
pair(<<"shutdown">>, <<"infinity">>, Node) -> Node#{shutdown := infinity};
pair(<<"shutdown">>, V, Node) -> Node#{shutdown := binary_to_integer(V) * 1000};
pair(<<"stop">>, <<"slow:", V/binary>>, Node) -> Node#{stop := {slow, binary_to_integer(V)}};
pair(<<"stop">>, V, Node) -> Node#{stop := binary_to_atom(V)};
pair(<<"link">>, _, Node) -> Node; % ours alone
pair(<<"starts">>, V, #{id := Id} = Node) ->
    otp_diary:plan(Id, [binary_to_atom(Each) || Each <- binary:split(V, <<",">>, [global])]),
    Node.

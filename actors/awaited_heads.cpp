#include <coppice/actors/awaited_heads.hpp>
#include <coppice/actors/balancer.hpp>
#include <coppice/runtime/limits.hpp>

namespace coppice {

awaited_heads::~awaited_heads() {
  for (const auto& [id, each] : awaited_) bytes_.forget(each.connection.socket);
}

void awaited_heads::add(accepted_socket connection, given_out& into) {
  auto found = look(connection, false);
  const std::uint64_t id = next_++;
  if (found == finding::wait && !bytes_.watch(id, connection.socket)) found = finding::give_out;
  if (found == finding::give_out) into.push_back(std::move(connection));
  if (found != finding::wait) return;
  awaited_.emplace(id, awaited{std::move(connection)});
  if (awaited_.size() > limits::first_bytes_awaited)
    let_go(awaited_.begin(), finding::give_out, into);
}

void awaited_heads::on_news(const std::vector<first_bytes_news>& news, given_out& into) {
  for (const auto& each : news) {
    const auto at = awaited_.find(each.id);
    if (at == awaited_.end()) continue; // let go while the news was on its way
    // Byte by byte, each look would cost more than the one before.
    const bool last = ++at->second.looks >= limits::first_bytes_looks;
    const auto found = look(at->second.connection, each.ended || last);
    if (found != finding::wait) let_go(at, found, into);
  }
}

void awaited_heads::give_out_before(std::uint64_t mark, given_out& into) {
  while (!awaited_.empty() && awaited_.begin()->first < mark) {
    const auto at = awaited_.begin();
    let_go(at, look(at->second.connection, true), into);
  }
}

awaited_heads::finding awaited_heads::look(accepted_socket& connection, bool ended) {
  const auto [what, bytes] = bytes_.peek(connection.socket);
  if (what == peeked::kind::gone) return finding::close;
  const auto head = find_in_head(bytes, key_);
  if (head.what == head_value::state::found) connection.affinity = affinity_of(head.value);
  const bool more =
      head.what == head_value::state::incomplete && !ended && bytes.size() < limits::first_bytes;
  return more ? finding::wait : finding::give_out;
}

void awaited_heads::let_go(place at, finding found, given_out& into) {
  bytes_.forget(at->second.connection.socket);
  if (found == finding::give_out) into.push_back(std::move(at->second.connection));
  awaited_.erase(at);
}

} // namespace coppice

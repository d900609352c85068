#!/bin/sh
# An MCP server for tests: one JSON-RPC message a line. MODE says how it behaves; STATE is a folder it may write to.
echo started >> "$STATE/starts"
echo $$ > "$STATE/pid"
say() { printf '%s\n' "$1"; }
tools='{"name":"echo","description":"Says it again.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]},"annotations":{"readOnlyHint":true}},{"name":"save","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]},"annotations":{"idempotentHint":true}},{"name":"drop","inputSchema":{"type":"object"}},{"name":"odd","inputSchema":{"type":"object","nullable":true}}'
[ "$MODE" = garbage ] && say 'this is no JSON' && say '{"jsonrpc":"2.0","id":99,"result":{}}' && say '[]'
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*)
      [ "$MODE" = silent ] && continue
      say '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"t","version":"1"}}}' ;;
    *'"tools/list"'*)
      if [ -f "$STATE/more" ]; then all="$tools"',{"name":"late","inputSchema":{"type":"object"}}'; else all="$tools"; fi
      say '{"jsonrpc":"2.0","id":'"$id"',"result":{"tools":['"$all"']}}' ;;
    *'"ping"'*)
      [ -f "$STATE/hang" ] || say '{"jsonrpc":"2.0","id":'"$id"',"result":{}}' ;;
    *'"tools/call"'*)
      case "$line" in
        *'"crash"'*) exit 3 ;;
        *'"hang"'*) touch "$STATE/hang" ;;
        *'"garbage"'*) say 'garbage'; say '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":[{"type":"text","text":"after garbage"}]}}' ;;
        *'"flood"'*) head -c 100000000 /dev/zero | tr '\0' 'x'; say '' ;;
        *'"more"'*) touch "$STATE/more"; say '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'; say '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":[{"type":"text","text":"more"}]}}' ;;
        *'"sorry"'*) say '{"jsonrpc":"2.0","id":'"$id"',"result":{"isError":true,"content":[{"type":"text","text":"No such file."}]}}' ;;
        *'"env"'*) say '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":[{"type":"text","text":"'"GIVEN=$GIVEN HOME=$HOME LEAK=$PENSTOCK_TEST_LEAK"'"}]}}' ;;
        *'"save"'*) say '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":[],"structuredContent":{"n":5}}}' ;;
        *'"drop"'*) say '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":[{"type":"text","text":"dropped"},{"type":"image","data":"AA==","mimeType":"image/png"}]}}' ;;
        *) say '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":[{"type":"text","text":"echo"}]}}' ;;
      esac ;;
    *) [ -n "$id" ] && say '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32601,"message":"Method not found"}}' ;;
  esac
done

using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Penstock.Bench.Gateway;

[JsonSerializable(typeof(JsonObject))]
internal sealed partial class Json : JsonSerializerContext;

using System.Buffers;
using System.Text.Json;
using Penstock.Http;

namespace Penstock.Tools;

/// <summary>Outputs of tools.</summary>
internal static class JsonOutput
{
    /// <summary>One object whose members <paramref name="members"/> writes.</summary>
    public static JsonElement Of(Action<Utf8JsonWriter> members)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(bytes, Json.Options))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        // Parse rents nothing that must be given back early: GC takes an undisposed document back.
        return JsonDocument.Parse(bytes.WrittenMemory).RootElement;
    }
}

using System.Text.Json;

namespace Penstock.EndToEnd.Running;

/// <summary>A template of the tests' own, <c>greeting</c>.</summary>
internal static class Greeting
{
    public const string Name = "greeting";

    /// <summary>What is posted to add the version that says <paramref name="text"/>.</summary>
    public static string Source(string text) =>
        $$"""{"source":{{JsonSerializer.Serialize($"---\nname: {Name}\nuse-case: chat\nowner: tests\nversion: \"1\"\ndescription: Greets.\nmodel: fast\n---\n{text}\n")}}}""";

    /// <summary>Moves a label of it once from version to version, so that it can be rolled back.</summary>
    public static async Task MoveAsync(Api admin, string label)
    {
        foreach (var text in new[] { "Greet whoever writes.", "Greet whoever writes, twice." })
        {
            var hash = (await admin.JsonAsync(HttpMethod.Post, "/v1/prompts", Source(text))).GetProperty("hash").GetString();
            await admin.JsonAsync(HttpMethod.Put, $"/v1/prompts/{Name}/labels/{label}", $$"""{"version":"{{hash}}"}""");
        }
    }
}

using System.Text;
using Penstock.Prompts;

namespace Penstock.Tests.Prompts;

/// <summary>Templates of a test.</summary>
internal static class Sources
{
    /// <summary>A template to summarise that says <paramref name="system"/>.</summary>
    public static string Summarise(string system, string name = "summarise", string more = "") => $$$"""
        ---
        name: {{{name}}}
        use-case: summarise
        owner: tests
        version: "1"
        description: A test's.
        model: gpt-4o-mini
        variables:
          - name: text
        {{{more}}}---
        {{{system}}}

        === user ===

        {{text}}
        """;

    public static string Chat(string name, string system, string user = "", string front = "", string variables = "") => $$$"""
        ---
        name: {{{name}}}
        use-case: chat
        owner: tests
        version: "1"
        description: A test's.
        model: gpt-4o-mini
        {{{front}}}{{{(variables.Length > 0 ? "variables:\n" + variables : "")}}}---
        {{{system}}}
        {{{(user.Length > 0 ? "=== user ===\n" + user : "")}}}
        """;

    public static PromptTemplate Template(string source) => PromptFile.Read("test.md", Encoding.UTF8.GetBytes(source)) is { Template: { } template } ? template : throw new InvalidOperationException(string.Join(' ', PromptFile.Read("test.md", Encoding.UTF8.GetBytes(source)).Errors));
}
